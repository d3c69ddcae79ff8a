extension HTMLPage {
    /// What every part of the page uses. All text goes through `el`, which never parses any of it.
    static let baseScript = #"""
        "use strict";
        const data = JSON.parse(document.getElementById("data").textContent);
        const SVG = "http://www.w3.org/2000/svg";

        // What has no shape, or turns the direction of the text around it: as HTMLPage.isOdd has it.
        const ODD = /(?![\t\n])[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
        const oddName = c => "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
        const visible = text => String(text).replace(ODD, c => "⟨" + oddName(c) + "⟩");

        function children(node, parts) {
          for (const part of parts.flat(Infinity)) {
            if (part === null || part === undefined || part === false) continue;
            node.append(part instanceof Node ? part : visible(part));
          }
          return node;
        }

        function attributes(node, values) {
          for (const [name, value] of Object.entries(values || {})) {
            if (value === null || value === undefined || value === false) continue;
            if (typeof value === "function") node.addEventListener(name, value);
            else node.setAttribute(name, value === true ? "" : visible(value));
          }
          return node;
        }

        // el("td", {class: "number"}, "text", node, …); a function among the attributes listens to the event of its name.
        const el = (name, values, ...parts) => children(attributes(document.createElement(name), values), parts);
        const svg = (name, values, ...parts) => children(attributes(document.createElementNS(SVG, name), values), parts);
        const path = text => text === undefined || text === null ? "" : el("span", {class: "path"}, text);
        const names = list => el("span", {class: "list"}, list.map(name => [el("span", {}, name), " "]));
        const badge = text => el("span", {class: "badge " + text}, text);

        const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
        const sum = (list, value) => list.reduce((total, item) => total + value(item), 0);
        const counted = (count, noun, many) => number(count) + " " + (count === 1 ? noun : many || noun + "s");
        const number = value => String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");

        // As the text form says it: powers of 1000, one digit, cut.
        function bytes(value) {
          const units = ["B", "kB", "MB", "GB", "TB"];
          let unit = 0, scale = 1;
          while (unit < 4 && value / scale >= 1000) { scale *= 1000; unit += 1; }
          return unit === 0 ? value + " B" : (Math.floor(value / (scale / 10)) / 10).toFixed(1) + " " + units[unit];
        }
        const delta = value => value === 0 ? "±0 B" : (value < 0 ? "−" : "+") + bytes(Math.abs(value));
        const tone = value => value > 0 ? "grew" : value < 0 ? "shrank" : "quiet";
        const deltaNode = value => el("span", {class: tone(value)}, delta(value));
        const percent = (part, whole) => whole ? (100 * part / whole).toFixed(1) + " %" : "";
        const day = seconds => seconds === undefined || Math.abs(seconds) > 8e12 ? "" : new Date(seconds * 1000).toISOString().slice(0, 10);
        const causeText = cause => ({none: "not explained", time: "times", account: "accounts"}[cause.kind] || cause.kind)
          + (cause.name ? " " + cause.name : "");
        const cause = value => el("span", {class: value.kind === "none" ? "bad" : "quiet"}, causeText(value));

        const sections = [];
        // A part of the page that the line at the top leads to. `count` stands there beside the title.
        function section(id, title, note, count, ...parts) {
          sections.push({id, title, count});
          document.getElementById("content").append(
            el("section", {id, "aria-labelledby": id + "-title"},
              el("h2", {id: id + "-title"}, title, note ? el("span", {class: "note"}, note) : null), parts));
        }

        function fold(summary, list, show) {
          const most = 400;
          return el("details", {}, el("summary", {}, summary), el("ul", {class: "plain"},
            list.slice(0, most).map(item => el("li", {}, show ? show(item) : item)),
            list.length > most ? el("li", {class: "quiet"}, "… " + number(list.length - most) + " more in the JSON form") : null));
        }

        // Numbers that lead to their sections: {id, tone, value, label}.
        function cards(list) {
          return el("ul", {class: "cards"}, list.filter(card => card).map(card =>
            el("li", {}, el("a", {href: "#" + card.id, class: card.tone || ""}, el("b", {class: String(card.value).length > 10 ? "long" : ""}, card.value), el("span", {}, card.label)))));
        }

        // Rows of [name, value, value]: what something is, or what two are; values that differ stand out.
        function facts(caption, heads, rows) {
          return el("div", {class: "scroll"}, el("table", {class: "facts"}, el("caption", {}, caption),
            heads.length ? el("thead", {}, el("tr", {}, el("td", {}), heads.map(head => el("th", {scope: "col"}, head)))) : null,
            el("tbody", {}, rows.filter(row => row.slice(1).some(value => value)).map(([name, ...values]) =>
              el("tr", {}, el("th", {scope: "row"}, name), values.map((value, index) =>
                el("td", {class: (/^(sha256:|\/)/.test(value) ? "path" : "") + (index > 0 && value !== values[0] ? " differs" : "")}, value || "–")))))));
        }

        function sideFacts(side) {
          return [["is", side.kind], ["recipe", side.recipe], ["architecture", side.architecture], ["date", day(side.moment)], ["kernel", side.kernel],
            ["packages", side.packages === undefined ? "" : number(side.packages)],
            ["paths", side.paths === undefined ? "" : number(side.paths)],
            ["contents", side.contentSize === undefined ? "" : bytes(side.contentSize)],
            ["image file", side.imageSize === undefined ? "" : bytes(side.imageSize)],
            ["free in it", side.imageFree === undefined ? "" : bytes(side.imageFree)],
            ["image hash", side.imageHash], ["content hash", side.contentHash], ["built by version", side.toolVersion]];
        }

        // The line at the top, with the switch between the colour schemes.
        function navigation() {
          const root = document.documentElement;
          const schemes = ["auto", "light", "dark"];
          const scheme = el("button", {type: "button", click: () => {
            const next = schemes[(schemes.indexOf(root.dataset.scheme || "auto") + 1) % 3];
            root.dataset.scheme = next;
            scheme.textContent = "Colours: " + next;
          }}, "Colours: auto");
          document.getElementById("sections").append(el("ul", {},
            sections.map(({id, title, count}) => el("li", {}, el("a", {href: "#" + id}, title),
              count === undefined || count === null ? null : el("span", {class: "count"}, count))),
            el("li", {class: "push"}, scheme)));
          // Where there is nothing to tell there is no section to go to.
          for (const link of document.querySelectorAll(".cards a")) if (!document.getElementById(link.hash.slice(1))) link.removeAttribute("href");
        }

        // On paper everything that folds is open, but for what would make a table's row a page long.
        addEventListener("beforeprint", () => {
          for (const part of document.querySelectorAll("details:not([open], td details)")) { part.open = true; part.dataset.closed = ""; }
        });
        addEventListener("afterprint", () => {
          for (const part of document.querySelectorAll("details[data-closed]")) { part.open = false; delete part.dataset.closed; }
        });

        """#
}
