extension HTMLPage {
    /// Tables that sort and filter.
    static let tableScript = #"""
        // A table of `rows`. Columns: {name, value(row): text or number to sort and find by, show(row): what stands there,
        // kind: "number" | "short"}. Choices: {name, value(row), start}: selections of one value; start is the value first
        // chosen, and `!x` means all but x. `more(row)` is text that the filter finds besides.
        function table({caption, columns, rows, choices = [], sortBy = 0, isDescending = false, more, most = 100}) {
          const state = {sortBy, isDescending, words: [], chosen: choices.map(choice => choice.start || ""), most};
          const texts = new Map(rows.map(row =>
            [row, columns.map(column => column.value(row)).concat(more ? more(row) : []).join(" ").toLowerCase()]));
          const body = el("tbody", {});
          const status = el("span", {class: "quiet", role: "status"});
          const paper = el("p", {class: "paper quiet"});
          const further = el("button", {type: "button", class: "more", click: () => { state.most += 500; update(); }});
          const heads = columns.map((column, index) => el("th", {scope: "col", class: column.kind || ""},
            el("button", {type: "button", click: () => {
              state.isDescending = state.sortBy === index ? !state.isDescending : column.kind === "number";
              state.sortBy = index;
              update();
            }}, column.name)));

          function wanted(row) {
            return state.words.every(word => texts.get(row).includes(word)) && choices.every((choice, index) => {
              const chosen = state.chosen[index];
              return chosen === "" || (chosen[0] === "!" ? choice.value(row) !== chosen.slice(1) : choice.value(row) === chosen);
            });
          }

          function update() {
            const column = columns[state.sortBy], sign = state.isDescending ? -1 : 1;
            const kept = rows.filter(wanted);
            if (column) kept.sort((a, b) => sign * order(column.value(a), column.value(b)));
            body.replaceChildren(...kept.slice(0, state.most).map(row => el("tr", {}, columns.map(column =>
              el("td", {class: column.kind || ""}, column.show ? column.show(row) : column.value(row))))));
            heads.forEach((head, index) => head.setAttribute("aria-sort",
              index !== state.sortBy ? "none" : state.isDescending ? "descending" : "ascending"));
            const left = kept.length - state.most;
            further.hidden = left <= 0;
            further.textContent = "Show " + number(Math.min(left, 500)) + " more of " + number(kept.length);
            paper.textContent = left > 0 ? "… and " + counted(left, "row") + " more" : "";
            status.textContent = kept.length === rows.length ? number(rows.length) + (rows.length === 1 ? " row" : " rows")
              : number(kept.length) + " of " + number(rows.length) + " rows";
          }

          const tools = el("div", {class: "tools"},
            el("input", {type: "search", placeholder: "Filter", "aria-label": "Filter: " + caption, input: event => {
              state.words = event.target.value.toLowerCase().split(/\s+/).filter(word => word);
              update();
            }}),
            choices.map((choice, index) => {
              const values = [...new Set(rows.map(choice.value))].sort();
              const start = state.chosen[index];
              if (start && !values.includes(start.replace("!", ""))) state.chosen[index] = "";
              if (values.length < 2) { state.chosen[index] = ""; return null; }
              return el("label", {}, choice.name + " ", el("select", {change: event => { state.chosen[index] = event.target.value; update(); }},
                el("option", {value: ""}, "all"),
                start && start[0] === "!" ? el("option", {value: start, selected: true}, "all but " + start.slice(1)) : null,
                values.map(value => el("option", {value, selected: value === start}, value))));
            }), status);
          update();
          return el("div", {class: "table"}, rows.length > 5 ? tools : null,
            el("div", {class: "scroll"}, el("table", {}, el("caption", {}, caption),
              el("thead", {}, el("tr", {}, heads)), body)), further, paper);
        }

        // A bar of a part of the largest: to the right what grew, to the left what shrank.
        function deltaBar(value, largest) {
          const bar = el("span", {class: "bar", "aria-hidden": "true"}, el("i", {class: value < 0 ? "down" : "up"}));
          const width = largest ? 50 * Math.abs(value) / largest : 0;
          bar.firstChild.style.width = width + "%";
          bar.firstChild.style.left = (value < 0 ? 50 - width : 50) + "%";
          return bar;
        }

        function wholeBar(value, largest) {
          const bar = el("span", {class: "bar whole", "aria-hidden": "true"}, el("i", {class: "up"}));
          bar.firstChild.style.width = (largest ? 100 * value / largest : 0) + "%";
          bar.firstChild.style.left = "0";
          return bar;
        }

        // Texts before and after, a fold each; `open` says which start open.
        function patches(caption, list, open) {
          const most = 400;
          function lines(text) {
            const all = text.replace(/\n$/, "").split("\n");
            const line = text => el("span", {class: {"+": "plus", "-": "minus", "@": "at"}[text[0]] || ""}, text || " ");
            const pre = el("pre", {tabindex: "0"}, all.slice(0, most).map(line));
            if (all.length <= most) return pre;
            const rest = el("button", {type: "button", class: "more", click: () => {
              pre.append(...all.slice(most).map(line));
              rest.remove();
              pre.focus();
            }}, "Show " + number(all.length - most) + " more lines");
            return [pre, rest];
          }
          const items = list.map(patch => {
            const sizes = [patch.oldSize, patch.newSize].filter(size => size !== undefined).map(bytes).join(" → ");
            return {patch, text: (patch.path + " " + causeText(patch.cause) + " " + (patch.patch || "")).toLowerCase(),
              node: el("details", {class: "patch", open: open(patch)},
                el("summary", {}, badge(patch.change), " ", path(patch.path), " ",
                  patch.omitted ? el("span", {class: "quiet"}, patch.omitted + ", " + sizes)
                    : [el("span", {class: "good"}, "+" + patch.linesAdded), " ", el("span", {class: "bad"}, "−" + patch.linesRemoved)],
                  " ", cause(patch.cause)),
                patch.patch ? lines(patch.patch) : el("p", {class: "quiet"}, "No patch to show: " + (patch.omitted || "only the kind of the file changed")))};
          });
          const status = el("span", {class: "quiet", role: "status"}, counted(list.length, "file"));
          const toggle = (label, value) => el("button", {type: "button", click: () => items.forEach(item => { item.node.open = value; })}, label);
          return [list.length < 3 ? null : el("div", {class: "tools"},
            el("input", {type: "search", placeholder: "Filter by path or text", "aria-label": "Filter: " + caption, input: event => {
              const wanted = event.target.value.toLowerCase();
              items.forEach(item => { item.node.hidden = !item.text.includes(wanted); });
              status.textContent = items.filter(item => !item.node.hidden).length + " of " + counted(items.length, "file");
            }}), toggle("Open all", true), toggle("Close all", false), status), items.map(item => item.node)];
        }

        """#
}
