extension HTMLPage {
    /// The page of a comparison: docs/diff.schema.json is what it reads.
    static let diffScript = #"""
        const timeOnly = change => change.change === "changed" && change.fields.every(field => field.name === "time");
        const contentNames = ["content", "size", "type", "target", "device"];
        const whatOf = change => change.change !== "changed" ? change.change : timeOnly(change) ? "times"
          : change.fields.some(field => contentNames.includes(field.name)) ? "contents" : "metadata";
        const sizeOf = change => {
          const size = change.fields.find(field => field.name === "size");
          return size ? Number(size.new || 0) - Number(size.old || 0) : 0;
        };
        function first(list) {
          const names = [...new Set(list)];
          return names.slice(0, 4).join(", ") + (names.length > 4 ? " and " + number(names.length - 4) + " more" : "");
        }
        const values = (old, now) => old === undefined && now === undefined ? "" : (old === undefined ? "none" : old) + " → " + (now === undefined ? "none" : now);
        function fieldText(change) {
          if (change.change === "removed") return "";
          if (change.change === "added") {
            const target = change.fields.find(field => field.name === "target");
            return target ? "→ " + target.new : "";
          }
          const told = change.fields.filter(field => field.name !== "time" && field.name !== "size");
          return told.map(field => field.name === "content" ? "content" : field.name + " " + values(field.old, field.new)).join(", ")
            || (change.fields.length ? change.fields.map(field => field.name).join(", ") : "");
        }
        const vulnerabilities = kind => [...new Set(data.packages.filter(item => item.change === kind).flatMap(item => item.vulnerabilities))];

        function summary() {
          const {counts, sizes, services, security, packages, notExplained} = data;
          const kinds = (list, key) => [...new Set(list.map(key))].map(kind => number(list.filter(item => key(item) === kind).length) + " " + kind).join(", ");
          const grown = sizes ? sizes.new - sizes.old : 0;
          const closed = vulnerabilities("upgraded"), opened = vulnerabilities("downgraded");
          const high = security.filter(item => item.severity === "high").length;
          const head = document.getElementById("content");
          head.append(el("h1", {}, data.old.name, " → ", data.new.name));
          const about = side => [side.recipe, day(side.moment), side.packages === undefined ? "" : counted(side.packages, "package"),
            side.contentSize === undefined ? "" : bytes(side.contentSize), side.kernel ? "kernel " + side.kernel : ""].filter(word => word).join(", ");
          if (about(data.old) || about(data.new)) head.append(el("p", {class: "quiet"}, about(data.old), " → ", about(data.new)));
          if (data.damaged.length || data.notCompared.length) head.append(el("div", {class: "box"},
            data.damaged.length ? el("p", {class: "bad"}, counted(data.damaged.length, "path"), " cannot be read; ", el("a", {href: "#damaged"}, "see which"), ".") : null,
            data.notCompared.length ? [el("p", {}, "Not compared:"), el("ul", {}, data.notCompared.map(item => el("li", {}, el("b", {}, item.what), ": ", item.because)))] : null));
          if (data.isIdentical) head.append(el("p", {}, el("b", {class: "good"}, "Nothing differs."), " Every part that was compared is the same on both sides."));
          else head.append(cards([
            {id: security.length ? "security" : "files", tone: high ? "bad" : security.length ? "warn" : "good", value: number(security.length),
              label: security.length ? "security: " + kinds(security, item => item.severity) : "security-relevant changes"},
            {id: packages.length ? "packages" : "files", value: number(packages.length), label: packages.length ? "packages: " + kinds(packages, item => item.change) : "packages moved"},
            closed.length ? {id: "packages", tone: "good", value: number(closed.length), label: closed.length === 1 ? "CVE closed" : "CVEs closed"} : null,
            opened.length ? {id: "packages", tone: "bad", value: number(opened.length), label: opened.length === 1 ? "CVE open again" : "CVEs open again"} : null,
            services.length ? {id: "services", tone: services.some(item => item.change !== "affected") ? "warn" : "", value: number(services.length), label: "services: " + kinds(services, item => item.change)} : null,
            data.kernel ? {id: "kernel", tone: data.kernel.oldRelease !== data.kernel.newRelease ? "warn" : "", value: data.kernel.newRelease || "none", label: data.kernel.oldRelease !== data.kernel.newRelease ? "kernel, was " + (data.kernel.oldRelease || "none") : "kernel: other bytes or settings"} : null,
            data.configuration.length ? {id: "configuration", value: number(data.configuration.length), label: "configuration files"} : null,
            sizes ? {id: "sizes", value: delta(grown), label: "now " + bytes(sizes.new)} : null,
            {id: "files", value: number(counts.paths), label: counts.paths ? "paths: " + [["added", counts.added], ["removed", counts.removed], ["changed", counts.changed]].filter(([, count]) => count).map(([name, count]) => number(count) + " " + name).join(", ") : "paths changed"},
            {id: "files", tone: notExplained.length ? "bad" : "good", value: number(notExplained.length), label: notExplained.length ? "paths without a cause" : "every change is explained"}]));
          const [before, after] = [sideFacts(data.old), sideFacts(data.new)];
          head.append(el("details", {open: data.isIdentical}, el("summary", {}, "What was compared"),
            facts("What was compared", ["old", "new"], before.map(([name, value], index) => [name, value, after[index][1]]))));
        }

        function securitySection() {
          if (!data.security.length) return;
          const grades = ["high", "medium", "low"];
          section("security", "Security", counted(data.security.length, "change") + " to look at", number(data.security.length), table({
            caption: "Security-relevant changes", rows: data.security,
            // The many that every upgrade brings wait.
            choices: [{name: "severity", value: row => row.severity, start: data.security.length > 30 && data.security[0].severity !== "low" ? "!low" : ""}, {name: "kind", value: row => row.kind}], columns: [
              {name: "Severity", kind: "short", value: row => grades.indexOf(row.severity), show: row => badge(row.severity)},
              {name: "Kind", kind: "short", value: row => row.kind},
              {name: "What", value: row => row.message, show: row => row.message},
              {name: "Was → is", value: row => values(row.old, row.new), show: row => values(row.old, row.new).length > 60 ? "" : path(values(row.old, row.new))},
              {name: "Cause", value: row => causeText(row.cause), show: row => cause(row.cause)}],
            more: row => row.severity + " " + (row.path || "")}));
        }

        function packagesSection() {
          const list = data.packages;
          if (!list.length) return;
          const largest = Math.max(0, ...list.map(item => Math.abs(item.newSize === undefined && item.oldSize === undefined ? 0 : (item.newSize || 0) - (item.oldSize || 0))));
          const grown = item => (item.newSize || 0) - (item.oldSize || 0);
          const closed = vulnerabilities("upgraded"), opened = vulnerabilities("downgraded");
          // Packages of one source that moved together have one changelog.
          const logs = new Map();
          for (const item of list) if (item.changelog && item.changelog.length) {
            const key = JSON.stringify([item.source, item.changelog]);
            logs.set(key, (logs.get(key) || []).concat(item));
          }
          section("packages", "Packages", delta(sum(list, grown)), number(list.length),
            closed.length ? el("p", {}, el("b", {class: "good"}, "Closed: "), names(closed)) : null,
            opened.length ? el("p", {}, el("b", {class: "bad"}, "Open again: "), names(opened)) : null,
            table({caption: "Packages", rows: list, choices: [{name: "change", value: row => row.change}],
              more: row => row.vulnerabilities.join(" ") + " " + (row.changelog || []).join(" ") + (row.isFromSecurity ? " security" : ""), columns: [
                {name: "Package", value: row => row.name, show: row => [el("b", {}, row.name), row.isFromSecurity ? el("span", {class: "quiet"}, " security") : ""]},
                {name: "Change", kind: "short", value: row => row.change, show: row => badge(row.change)},
                {name: "Was", kind: "short", value: row => row.old || "", show: row => path(row.old)},
                {name: "Is", kind: "short", value: row => row.new || "", show: row => path(row.new)},
                {name: "Size", kind: "number", value: grown, show: row => [deltaNode(grown(row)), " ", deltaBar(grown(row), largest)]},
                {name: "Files", kind: "number", value: row => row.files.added + row.files.removed + row.files.changed,
                  show: row => [["+", row.files.added], ["−", row.files.removed], ["~", row.files.changed]].filter(([, count]) => count).map(([sign, count]) => sign + count).join(" ")},
                {name: "CVEs", kind: "number", value: row => row.vulnerabilities.length, show: row => row.vulnerabilities.length ? el("span", {title: row.vulnerabilities.join(" ")}, String(row.vulnerabilities.length)) : ""}]}),
            logs.size ? el("h3", {}, "What their changelogs say") : null,
            [...logs.values()].map(items => fold([el("b", {}, items.map(item => item.name).join(", ")), " ", el("span", {class: "quiet"},
              items[0].change === "downgraded" ? "takes back " : "", counted(items[0].changelog.length, "line"))], items[0].changelog, line => line.replace(/^[*-] /, ""))));
        }

        function kernelSection() {
          const kernel = data.kernel;
          if (!kernel) return;
          section("kernel", "Kernel", kernel.newRelease, null,
            facts("Kernel", ["old", "new"], [["release", kernel.oldRelease, kernel.newRelease], ["package", kernel.oldPackage, kernel.newPackage],
              ["arguments", kernel.oldArguments.join(" "), kernel.newArguments.join(" ")]]),
            kernel.isOtherFile && kernel.oldRelease === kernel.newRelease ? el("p", {}, "The same release, other bytes.") : null,
            kernel.isOtherInitrd ? el("p", {}, "The initrd has other bytes.") : null,
            [["added", kernel.modulesAdded], ["removed", kernel.modulesRemoved]].map(([word, list]) => list.length ? fold(counted(list.length, "module") + " " + word, list, path) : null),
            kernel.modulesChanged ? el("p", {}, counted(kernel.modulesChanged, "module") + " changed") : null,
            kernel.options && kernel.options.length ? [el("h3", {}, "Configuration"), table({caption: "Kernel configuration", rows: kernel.options, most: 30, columns: [
              {name: "Option", value: row => row.name, show: row => path(row.name)},
              {name: "Was", value: row => row.old || "not set"}, {name: "Is", value: row => row.new || "not set"}]})] : null);
        }

        function servicesSection() {
          const list = data.services;
          if (!list.length) return;
          const command = row => [row.oldCommand, row.newCommand].map(words => (words || []).join(" "));
          section("services", "Services", "which start by themselves, and what they need that changed", number(list.length),
            graph("Services, the changed files that they need, and why those changed", impact(list, data.packages)),
            table({caption: "Services", rows: list, choices: [{name: "change", value: row => row.change}], more: row => row.members.map(member => member.path + " " + causeText(member.cause)).join(" "), columns: [
              {name: "Service", kind: "short", value: row => row.name, show: row => el("b", {}, row.name)},
              {name: "Change", kind: "short", value: row => row.change, show: row => badge(row.change)},
              {name: "Runs", value: row => command(row).join(" "), show: row => {
                const [old, now] = command(row);
                return [path(old === now || !old ? now : !now ? old : old + " → " + now), row.oldUser !== row.newUser ? el("div", {class: "quiet"}, "user ", values(row.oldUser, row.newUser)) : ""];
              }},
              {name: "Changed files", kind: "number", value: row => row.members.length},
              {name: "Because of", value: row => row.members.length, show: row => row.members.length ? fold(first(row.members.map(member => member.cause.name || causeText(member.cause))), row.members,
                member => [member.role + " ", path(member.path), " " + member.change + ", ", cause(member.cause)]) : ""}]}));
        }

        function accountsSection() {
          if (!data.accounts.length) return;
          section("accounts", "Users and groups", null, number(data.accounts.length), table({caption: "Users and groups", rows: data.accounts, columns: [
            {name: "Name", value: row => row.name, show: row => el("b", {}, row.name)}, {name: "Is a", kind: "short", value: row => row.kind},
            {name: "Change", kind: "short", value: row => row.change, show: row => badge(row.change)},
            {name: "What", value: row => row.fields.filter(field => field.new || field.old).map(field => field.name + " " + (row.change === "added" ? field.new : values(field.old, field.new))).join(", ")}]}));
        }

        // What a person laid over the image is read first; what packages bring is folded.
        function patchesSections() {
          if (data.configuration.length) section("configuration", "Configuration", null, number(data.configuration.length),
            patches("Configuration", data.configuration, patch => patch.cause.kind !== "package" && data.configuration.length <= 30));
          if (data.patches.length) section("texts", "Other texts", null, number(data.patches.length), patches("Other texts", data.patches, () => false));
        }

        function sizesSection() {
          const sizes = data.sizes;
          if (!sizes || sizes.old + sizes.new === 0) return;
          const moves = (caption, parts, noun) => {
            const moved = parts.filter(part => part.old !== part.new);
            const largest = Math.max(0, ...moved.map(part => Math.abs(part.new - part.old)));
            return moved.length === 0 ? el("p", {class: "quiet"}, "No " + noun + " grew or shrank.") : table({caption, rows: moved, sortBy: 1, isDescending: true, most: 15, columns: [
              {name: noun[0].toUpperCase() + noun.slice(1), value: row => row.name || "(in no package)", show: row => path(row.name || "(in no package)")},
              {name: "Change", kind: "number", value: row => row.new - row.old, show: row => [deltaNode(row.new - row.old), " ", deltaBar(row.new - row.old, largest)]},
              {name: "Was", kind: "number", value: row => row.old, show: row => bytes(row.old)}, {name: "Is", kind: "number", value: row => row.new, show: row => bytes(row.new)}]});
          };
          section("sizes", "Sizes", bytes(sizes.old) + " → " + bytes(sizes.new) + " (" + delta(sizes.new - sizes.old) + ")", null,
            sizes.packages ? [el("h3", {}, "By package"), treemap("Sizes by package", packageTree(sizes.packages), true), moves("Sizes by package", sizes.packages, "package")] : null,
            el("h3", {}, "By folder"), treemap("Sizes by folder", folderTree(sizes.folders), true), moves("Sizes by folder", sizes.folders, "folder"));
        }

        function filesSection() {
          if (!data.paths.length) return;
          const rest = data.notExplained;
          section("files", "Files", counted(data.counts.paths, "path"), number(data.counts.paths),
            rest.length ? el("div", {class: "box"}, fold(el("b", {class: "bad"}, counted(rest.length, "path") + " changed without a cause"), rest, path)) : el("p", {class: "good"}, "Every change has a cause."),
            table({caption: "Changed paths", rows: data.paths, choices: [{name: "what", value: whatOf, start: "!times"}, {name: "cause", value: row => row.cause.kind === "none" ? "not explained" : row.cause.kind}], columns: [
              {name: "Path", value: row => row.path, show: row => path(row.path)},
              {name: "Change", kind: "short", value: row => row.change, show: row => badge(row.change)},
              {name: "Type", kind: "short", value: row => row.type},
              {name: "What", value: fieldText, show: row => path(fieldText(row))},
              {name: "Size", kind: "number", value: sizeOf, show: row => sizeOf(row) ? deltaNode(sizeOf(row)) : ""},
              {name: "Cause", value: row => causeText(row.cause), show: row => cause(row.cause)}]}));
          if (data.metadata.length) section("metadata", "Metadata only", "kind and content are as they were", number(data.metadata.length), table({caption: "Metadata only", rows: data.metadata, columns: [
            {name: "What", value: row => row.what}, {name: "Paths", kind: "number", value: row => row.paths.length},
            {name: "Which", value: row => row.paths[0], show: row => row.paths.length === 1 ? path(row.paths[0]) : fold(path(row.paths[0]), row.paths, path)}]}));
        }

        function damagedSection() {
          if (data.damaged.length) section("damaged", "Damaged", "neither these nor what is below them was compared", number(data.damaged.length), table({caption: "Damaged", rows: data.damaged, columns: [
            {name: "Side", kind: "short", value: row => row.side}, {name: "Path", value: row => row.path, show: row => path(row.path)}, {name: "Problem", value: row => row.problem}]}));
        }

        summary();
        securitySection();
        packagesSection();
        kernelSection();
        servicesSection();
        accountsSection();
        patchesSections();
        sizesSection();
        filesSection();
        damagedSection();
        navigation();
        """#
}
