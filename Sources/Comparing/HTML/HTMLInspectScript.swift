extension HTMLPage {
    /// The page of one image: `ImageSummary` is what it reads.
    static let inspectScript = #"""
        function summary() {
          const {side, services, packages, privileged, fileSystem} = data;
          const head = document.getElementById("content");
          head.append(el("h1", {}, side.recipe ? side.recipe + " " : "", side.recipe && side.recipe !== side.name ? el("span", {class: "quiet path"}, side.name) : side.recipe ? "" : side.name));
          if (data.damaged.length) head.append(el("div", {class: "box"}, el("p", {class: "bad"}, counted(data.damaged.length, "path"), " cannot be read."),
            fold("Which", data.damaged, item => [path(item.path), ": ", item.problem])));
          const free = side.imageFree, whole = side.imageSize;
          head.append(cards([
            {id: "sizes", value: bytes(data.size), label: "in " + counted(data.files, "file")},
            free === undefined ? null : {id: "image", tone: free < whole / 50 ? "warn" : "", value: bytes(free), label: "free of " + bytes(whole) + ", " + percent(free, whole)},
            packages ? {id: "packages", value: number(packages.length), label: packages.length === 1 ? "package" : "packages"} : null,
            services ? {id: "services", value: number(services.length), label: "services start by themselves"} : null,
            data.kernel && data.kernel.release ? {id: "image", value: data.kernel.release, label: "kernel"} : null,
            {id: privileged.length ? "privileged" : "image", tone: privileged.some(item => item.what === "everybody may write it") ? "warn" : "", value: number(privileged.length), label: "paths with special rights"}]));
          section("image", "Image", null, null, facts("Image", [], sideFacts(side).concat(
            fileSystem ? [["label", fileSystem.label], ["UUID", fileSystem.uuid], ["blocks", number(fileSystem.blocks) + " of " + bytes(fileSystem.blockSize)], ["features", fileSystem.features.join(" ")]] : [],
            data.kernel ? [["kernel package", data.kernel.package], ["kernel arguments", data.kernel.arguments.join(" ")]] : [],
            [["paths by type", data.types.map(type => number(type.count) + " " + type.name).join(", ")]])));
        }

        function servicesSection() {
          if (!data.services || !data.services.length) return;
          section("services", "Services", "which start by themselves", number(data.services.length), table({caption: "Services", rows: data.services, columns: [
            {name: "Service", kind: "short", value: row => row.name, show: row => el("b", {}, row.name)},
            {name: "Runs", value: row => row.command.join(" "), show: row => path(row.command.join(" "))},
            {name: "As", kind: "short", value: row => row.user},
            {name: "Needs", kind: "number", value: row => row.files, show: row => counted(row.files, "file")},
            {name: "In all", kind: "number", value: row => row.size, show: row => bytes(row.size)},
            {name: "Of", value: row => row.packages.join(" "), show: row => row.packages.length > 3 ? fold(counted(row.packages.length, "package"), row.packages) : row.packages.join(", ")}]}));
        }

        function packagesSection() {
          if (!data.packages || !data.packages.length) return;
          const largest = Math.max(0, ...data.packages.map(item => item.size || 0));
          const hasSizes = data.packages.some(item => item.size !== undefined);
          section("packages", "Packages", null, number(data.packages.length), table({caption: "Packages", rows: data.packages, sortBy: hasSizes ? 3 : 0, isDescending: hasSizes, most: 25,
            choices: [{name: "layer", value: row => row.purpose || "none"}], columns: [
              {name: "Package", value: row => row.name, show: row => el("b", {}, row.name)},
              {name: "Version", value: row => row.version, show: row => path(row.version)},
              {name: "Architecture", kind: "short", value: row => row.architecture},
              hasSizes ? {name: "Size", kind: "number", value: row => row.size || 0, show: row => [bytes(row.size || 0), " ", wholeBar(row.size || 0, largest)]} : null,
              {name: "Source", value: row => row.source}, {name: "Layer", value: row => row.purpose || ""}].filter(column => column)}));
        }

        function sizesSection() {
          if (!data.size) return;
          const parts = list => list.map(part => ({name: part.name, old: 0, new: part.size}));
          section("sizes", "Sizes", bytes(data.size), null,
            el("h3", {}, "By folder"), treemap("Sizes by folder", folderTree(parts(data.folders)), false),
            data.packageSizes ? [el("h3", {}, "By package"), treemap("Sizes by package", packageTree(parts(data.packageSizes)), false)] : null);
          section("largest", "Largest files", null, number(data.largest.length), table({caption: "Largest files", rows: data.largest, sortBy: 1, isDescending: true, most: 25, columns: [
            {name: "Path", value: row => row.path, show: row => path(row.path)},
            {name: "Size", kind: "number", value: row => row.size, show: row => [bytes(row.size), " ", wholeBar(row.size, data.largest[0].size)]},
            {name: "Of all", kind: "number", value: row => row.size, show: row => percent(row.size, data.size)},
            {name: "Package", value: row => row.package || "", show: row => row.package || el("span", {class: "quiet"}, "none")}]}));
        }

        function privilegedSection() {
          if (data.privileged.length) section("privileged", "Special rights", "what runs with more rights than who starts it, and what everybody may write", number(data.privileged.length), table({caption: "Special rights", rows: data.privileged,
            choices: [{name: "right", value: row => row.what}], columns: [
              {name: "Path", value: row => row.path, show: row => path(row.path)}, {name: "Right", value: row => row.what}, {name: "Mode", kind: "short", value: row => row.mode, show: row => path(row.mode)},
              {name: "Owner", kind: "short", value: row => row.owner}, {name: "Package", value: row => row.package || "", show: row => row.package || el("span", {class: "quiet"}, "none")}]}));
        }

        summary();
        servicesSection();
        privilegedSection();
        sizesSection();
        packagesSection();
        navigation();
        """#
}
