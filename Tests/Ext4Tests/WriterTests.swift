import Glibc
import RootfsModel
import SystemPackage
import Testing

@testable import Ext4

@Suite struct WriterTests {
    @Test func anEmptyTreeIsAnImage() throws {
        let scratch = try Scratch()
        let image = try Ext4Writer.write(tree: FileTree(), to: scratch.file("image"), options: .plain, jobs: 1)
        expectClean(scratch.file("image"))
        print(image)
    }
}
