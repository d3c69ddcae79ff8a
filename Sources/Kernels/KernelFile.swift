public import RootfsModel

/// Takes the kernel that a microVM starts out of any file that Linux ships it in: a bzImage, an ELF, an arm64 Image,
/// or one of the last two compressed (`Image.gz`).
///
/// - Parameters:
///   - name: the file's name, for the error.
///   - architecture: the recipe's, by its Debian name.
/// - Throws: `cannot take a kernel from NAME: REASON`.
public func bootableKernel(in bytes: [UInt8], named name: String, for architecture: String) throws(Failure) -> Vmlinux {
    let wanted = try kernelArchitecture(architecture)
    do throws(Failure) {
        return try vmlinux(in: bytes, for: wanted)
    } catch {
        throw Failure("cannot take a kernel from \(name): \(error.message)", notes: error.notes, hint: error.hint)
    }
}

/// Takes the ELF kernel out of a bzImage, and nothing else: what `kernel extract` does. A file that needs no
/// extraction is refused by name, with what to do instead.
///
/// - Parameters:
///   - name: the file's name, for the error.
///   - architecture: what the kernel must be for, by its Debian name; nil for what the file is for.
public func extractKernel(from bytes: [UInt8], named name: String, for architecture: String? = nil)
    throws(Failure) -> Vmlinux
{
    let wanted = try architecture.map { name throws(Failure) in try kernelArchitecture(name) }
    do throws(Failure) {
        if ELF(bytes) != nil {
            throw Failure("already an ELF", hint: "use it as it is, as kernel: {file: \(name)}")
        }
        if Arm64Image.isRecognized(bytes) {
            throw Failure(
                "arm64 Image, which is not compressed", hint: "use it as it is, as kernel: {file: \(name)}")
        }
        return try vmlinux(in: bytes, for: wanted)
    } catch {
        throw Failure("cannot extract a kernel from \(name): \(error.message)", notes: error.notes, hint: error.hint)
    }
}

/// The architecture with this Debian name, where microVMs have one.
public func kernelArchitecture(_ name: String) throws(Failure) -> KernelArchitecture {
    if let architecture = KernelArchitecture(rawValue: name) { return architecture }
    let known = KernelArchitecture.allCases.map(\.rawValue)
    throw Failure(
        "no kernel form is known for the architecture \(name)", notes: ["known: " + known.joined(separator: ", ")],
        hint: nearestName(to: name, among: known).map { "did you mean \($0)?" })
}

/// A failure's message is the reason alone.
private func vmlinux(in bytes: [UInt8], for wanted: KernelArchitecture?) throws(Failure) -> Vmlinux {
    if let kernel = try plainVmlinux(in: bytes, for: wanted, origin: { $0 }) { return kernel }
    if BzImage.isRecognized(bytes) {
        let image = try BzImage(bytes)
        let payload = try image.decompressedPayload()
        guard let elf = ELF(payload) else {
            throw Failure("not a kernel: its payload is no ELF")
        }
        return try Vmlinux(elf: elf, wanted: wanted, origin: "bzImage, \(image.compression)")
    }
    if EFIZboot.isRecognized(bytes) {
        throw Failure(
            "PE/EFI zboot, a kernel wrapped into a program for EFI", hint: "take the Image or the vmlinux it was made from")
    }
    if let compression = PayloadCompression(recognizing: bytes) {
        let content = try compression.decompress(bytes[...], name: "it", limit: BzImage.largestKernel)
        let kernel = try plainVmlinux(in: content, for: wanted) { "\($0), \(compression)" }
        if let kernel { return kernel }
        throw Failure("not a kernel: a \(compression) file without one in it")
    }
    if bytes.isEmpty { throw Failure("not a kernel: an empty file") }
    if bytes.holds(Array("MZ".utf8), at: 0) { throw Failure("not a kernel: a PE/EFI program") }
    if bytes.holds(Array("!<arch>\n".utf8), at: 0) {
        throw Failure("not a kernel: a package (.deb)", hint: "the kernel is in it, under boot/; or name it as kernel: {package: …}")
    }
    throw Failure("not a kernel: neither a boot header nor an ELF, in \(grouped(bytes.count)) bytes")
}

/// The kernel, where the bytes are one already.
private func plainVmlinux(
    in bytes: [UInt8], for wanted: KernelArchitecture?, origin: (String) -> String
) throws(Failure) -> Vmlinux? {
    if let elf = ELF(bytes) { return try Vmlinux(elf: elf, wanted: wanted, origin: origin("ELF")) }
    if Arm64Image.isRecognized(bytes) {
        return try Vmlinux(arm64Image: bytes, wanted: wanted, origin: origin("arm64 Image"))
    }
    return nil
}
