/// In which order packages are unpacked on so many threads: those of earlier layers first, because a layer is made as
/// soon as its own are there, and of a layer the largest first.
///
/// A package that takes one thread longer than the others need for all that is left would run alone at the end: it is
/// begun before it comes to that. How large a .deb is says well enough how long it takes.
///
/// - Parameter packages: the number of its layer, and the size of the .deb in bytes.
/// - Returns: indices of `packages`.
func unpackOrder(_ packages: [(layer: Int, size: UInt64)], jobs: Int) -> [Int] {
    let bySize = packages.indices.sorted { (packages[$1].size, $0) < (packages[$0].size, $1) }
    let byLayer = bySize.enumerated().sorted {
        (packages[$0.element].layer, $0.offset) < (packages[$1.element].layer, $1.offset)
    }.map(\.element)
    var left = packages.reduce(0) { $0 + Double($1.size) }
    var isTaken = [Bool](repeating: false, count: packages.count)
    var threads = jobs
    var (nextByLayer, nextBySize) = (0, 0)
    var order = [Int]()
    while order.count < packages.count {
        while isTaken[byLayer[nextByLayer]] { nextByLayer += 1 }
        while isTaken[bySize[nextBySize]] { nextBySize += 1 }
        var next = byLayer[nextByLayer]
        let largest = bySize[nextBySize]
        let size = Double(packages[largest].size)
        if threads > 1, next != largest, size * Double(threads - 1) >= left - size {
            next = largest
            // Its thread does nothing else from now on.
            threads -= 1
        }
        isTaken[next] = true
        left -= Double(packages[next].size)
        order.append(next)
    }
    return order
}
