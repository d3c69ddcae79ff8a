extension Unit {
    /// Why systemd does not take a service's unit (core/service.c, service_verify); nil where it does.
    func refusal(of commands: [Service.Command]) -> String? {
        func value(_ key: String) -> String? { text.value("Service", key) }
        let starts = commands.filter { $0.role == "ExecStart" }.count
        let stops = commands.contains { $0.role == "ExecStop" }
        let hasSuccessAction = ![nil, "none"].contains(text.value("Unit", "SuccessAction"))
        let type = value("Type") ?? (value("BusName") != nil ? "dbus" : starts > 0 ? "simple" : "oneshot")
        let written = text.values("Service", "ExecStart").count
        if starts == 0, written > 0 {
            return "its ExecStart= is no command line: a quote is not closed, or it is empty"
        }
        if starts == 0, !stops, !hasSuccessAction { return "it has no ExecStart=" }
        if starts == 0, type != "oneshot" { return "it has no ExecStart=, which only a Type=oneshot may do without" }
        if starts == 0, !hasSuccessAction, !text.isTrue("Service", "RemainAfterExit") {
            return "it has no ExecStart= and no RemainAfterExit=yes"
        }
        if starts > 1, type != "oneshot" { return "it has \(starts) commands in ExecStart=, and is no Type=oneshot" }
        if type == "oneshot", let restart = value("Restart"), ["always", "on-success"].contains(restart) {
            return "it is a Type=oneshot with Restart=\(restart)"
        }
        if type == "dbus", value("BusName") == nil { return "it is a Type=dbus without BusName=" }
        return nil
    }
}
