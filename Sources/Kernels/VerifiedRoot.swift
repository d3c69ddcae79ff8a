/// Why a kernel cannot make the verified root device from its command line (`dm-mod.create=`) before anything is mounted;
/// nil where it can, or where nobody knows its configuration: then it is taken to be made for that.
public func verifiedRootObstacle(config: KernelConfig?, rootModules: [String]) -> String? {
    if let driver = rootModules.first {
        return "\(driver) is a module, and the command line is read before any module is loaded"
    }
    guard let config, !config.isEmpty else { return nil }
    let missing = ["DM_INIT", "DM_VERITY"].filter { !config.isBuiltIn($0) }
    if missing.isEmpty { return nil }
    return missing.map { "CONFIG_\($0)=y" }.joined(separator: " and ") + " \(missing.count == 1 ? "is" : "are") missing"
}
