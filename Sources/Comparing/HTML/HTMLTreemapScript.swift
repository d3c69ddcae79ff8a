extension HTMLPage {
    /// The treemap: areas are exactly as the bytes are, without margins between them.
    static let treemapScript = #"""
        // Divides a rectangle among `items` so that areas are as their weights, each as square as can be (Bruls, Huizing and
        // van Wijk, "Squarified treemaps"). Items: {weight}, the heaviest first; gives {item, x, y, width, height}.
        function squarify(items, box) {
          const placed = [];
          let rest = items.filter(item => item.weight > 0), {x, y, width, height} = box;
          // What is left from each on, added up from the lightest: subtracting would leave nothing of the light ones.
          const left = rest.map(item => item.weight);
          for (let index = left.length - 2; index >= 0; index -= 1) left[index] += left[index + 1];
          while (rest.length) {
            const side = Math.min(width, height), scale = width * height / left[placed.length];
            let count = 0, weight = 0, worst = Infinity;
            while (count < rest.length) {
              const next = weight + rest[count].weight, thick = next * scale / side;
              // The first is the longest along the side, the one added the shortest.
              const ratio = Math.max(rest[0].weight * scale / thick / thick, thick * thick / (rest[count].weight * scale));
              if (ratio > worst) break;
              worst = ratio;
              weight = next;
              count += 1;
            }
            const thick = weight * scale / side;
            let at = width >= height ? y : x;
            for (const item of rest.slice(0, count)) {
              const long = item.weight * scale / thick;
              placed.push(width >= height ? {item, x, y: at, width: thick, height: long} : {item, x: at, y, width: long, height: thick});
              at += long;
            }
            if (width >= height) { x += thick; width = Math.max(width - thick, 1e-9); } else { y += thick; height = Math.max(height - thick, 1e-9); }
            rest = rest.slice(count);
          }
          return placed;
        }

        // The folders of a list of {name: "/usr/lib", old, new} as a tree; what a folder has itself is a part of it.
        function folderTree(parts) {
          const root = {name: "/", old: 0, new: 0, parts: new Map()};
          for (const part of parts) {
            let node = root;
            root.old += part.old; root.new += part.new;
            let name = "";
            for (const word of part.name.split("/").filter(word => word)) {
              name += "/" + word;
              if (!node.parts.has(name)) node.parts.set(name, {name, old: 0, new: 0, parts: new Map()});
              node = node.parts.get(name);
              node.old += part.old; node.new += part.new;
            }
            const own = node.name + (node.name === "/" ? "" : "/") + "…";
            node.parts.set(own, {name: own, old: part.old, new: part.new, parts: new Map()});
          }
          return (function finish(node) {
            const list = [...node.parts.values()].map(finish);
            return {name: node.name, old: node.old, new: node.new, parts: list.length > 1 ? list : list.length ? list[0].parts : []};
          })(root);
        }

        const packageTree = parts => ({name: "all packages", old: sum(parts, part => part.old), new: sum(parts, part => part.new),
          parts: parts.map(part => ({name: part.name || "(in no package)", old: part.old, new: part.new, parts: []}))});

        // `isComparison`: both sizes count, and a second way to look shows only what changed.
        function treemap(label, root, isComparison) {
          const ratio = {width: 1000, height: 380};
          let current = root, trail = [], mode = "size", focused = 0;
          const moved = node => node.parts.length ? sum(node.parts, moved) : Math.abs(node.new - node.old);
          const weight = node => mode === "size" ? node.new : moved(node);
          const map = el("div", {class: "map", role: "group", "aria-label": label + ". Arrow keys move, Page Down goes to the next, Enter looks into a folder, Escape goes back."});
          const readout = el("p", {class: "readout", "aria-hidden": "true"});
          const crumbs = el("span", {});
          const words = node => node.name + ": " + bytes(node.new)
            + (isComparison ? node.old === 0 ? ", new" : node.new === node.old ? ", unchanged" : ", " + delta(node.new - node.old) + ", was " + bytes(node.old) : "")
            + (mode === "size" ? ", " + percent(node.new, root.new) : "");
          // A sum of moves is no size: what came and what went are told apart.
          const totalWords = () => {
            if (mode === "size") return bytes(current.new) + " in " + current.name;
            let grew = 0, shrank = 0;
            (function walk(node) {
              if (node.parts.length) node.parts.forEach(walk);
              else if (node.new > node.old) grew += node.new - node.old;
              else shrank += node.old - node.new;
            })(current);
            return current.name + ": " + [["grew", grew], ["shrank", shrank]].filter(([, by]) => by).map(([word, by]) => word + " by " + bytes(by)).join(", ");
          };

          // The last name of a path, or two where there is room; what a folder has itself is `…` in it.
          function short(text, width) {
            const words = text.split("/").filter(word => word);
            return words.slice(words.at(-1) === "…" || width > 150 ? -2 : -1).join("/") || text;
          }

          function tile(spot, top) {
            const {item} = spot, node = item.node, change = node.new - node.old;
            const strip = isComparison && mode === "size" && change !== 0 && node.new > 0
              ? el("i", {class: change > 0 ? "up" : "down"}) : null;
            if (strip) strip.style.height = "max(3px, " + Math.min(100, 100 * Math.abs(change) / Math.max(node.new, node.old)) + "%)";
            const result = el("button", {type: "button", class: "tile" + (isComparison && change > 0 ? " bigger" : isComparison && change < 0 ? " smaller" : "") + (node.new === 0 ? " gone" : "") + (top.parts.length && top !== current ? " deeper" : ""),
              tabindex: "-1", "aria-label": words(node), title: words(node), "data-bytes": item.weight,
              focus: () => { readout.textContent = visible(words(node)); focused = tiles().indexOf(result); rove(); },
              mouseenter: () => { readout.textContent = visible(words(node)); },
              click: () => { if (top.parts.length && top !== current) look(top); }}, strip,
              spot.width > 34 && spot.height > 16 ? el("span", {}, short(node.name, spot.width)) : null,
              spot.width > 48 && spot.height > 34 ? el("span", {class: isComparison && change ? "" : "quiet"},
                isComparison && change ? delta(change) : bytes(node.new)) : null);
            place(result, spot);
            return result;
          }

          function place(node, spot) {
            node.style.left = spot.x / ratio.width * 100 + "%";
            node.style.top = spot.y / ratio.height * 100 + "%";
            node.style.width = spot.width / ratio.width * 100 + "%";
            node.style.height = spot.height / ratio.height * 100 + "%";
          }

          const tiles = () => [...map.querySelectorAll(".tile")];
          const rove = () => tiles().forEach((node, index) => { node.tabIndex = index === focused ? 0 : -1; });

          function items(node) {
            return node.parts.map(part => ({node: part, weight: weight(part)})).filter(item => item.weight > 0)
              .sort((a, b) => b.weight - a.weight || order(a.node.name, b.node.name));
          }

          // The parts of what is at the top, and of what is large; the rest waits until somebody looks into it.
          function fill(spot, top, isTop) {
            const inner = items(spot.item.node);
            if (!inner.length || !isTop && spot.width * spot.height < 40000) { map.append(tile(spot, top)); return; }
            for (const part of squarify(inner, spot)) fill(part, top, false);
            if (!isTop) return;
            const frame = el("div", {class: "group", "aria-hidden": "true"});
            place(frame, spot);
            map.append(frame);
          }

          function draw(hasFocus) {
            map.replaceChildren();
            map.classList.toggle("moves", mode === "change");
            for (const spot of squarify(items(current), {x: 0, y: 0, ...ratio})) fill(spot, spot.item.node, true);
            map.dataset.total = sum(items(current), item => item.weight);
            focused = 0;
            rove();
            readout.textContent = visible(totalWords());
            crumbs.replaceChildren(...trail.map((node, index) => el("button", {type: "button",
              click: () => { trail = trail.slice(0, index); current = node; draw(true); }}, "↑ " + node.name)));
            if (hasFocus) tiles()[0]?.focus();
          }

          function look(node) { trail.push(current); current = node; draw(true); }

          // The nearest tile in the direction of the arrow.
          function step(from, dx, dy) {
            const middle = node => { const box = node.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]; };
            const [x, y] = middle(from);
            let best = null, least = Infinity;
            for (const other of tiles()) {
              const [a, b] = middle(other), along = (a - x) * dx + (b - y) * dy, across = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
              if (other === from || along <= 0.5) continue;
              if (along + 2 * across < least) { least = along + 2 * across; best = other; }
            }
            (best || from).focus();
          }

          map.addEventListener("keydown", event => {
            const arrow = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
            if (arrow) step(event.target, ...arrow);
            else if (event.key === "PageDown") (tiles()[focused + 1] || event.target).focus();
            else if (event.key === "PageUp") (tiles()[focused - 1] || event.target).focus();
            else if (event.key === "Home") tiles()[0]?.focus();
            else if (event.key === "End") tiles().at(-1)?.focus();
            else if (event.key === "Escape" && trail.length) { current = trail.pop(); draw(true); }
            else return;
            event.preventDefault();
          });
          const modes = [["size", "Size now"], ["change", "Only what changed"]].map(([name, text]) =>
            el("button", {type: "button", "aria-pressed": String(name === mode), click: event => {
              mode = name;
              modes.forEach(button => button.setAttribute("aria-pressed", String(button === event.currentTarget)));
              draw(false);
            }}, text));
          draw(false);
          return el("div", {class: "treemap"}, el("div", {class: "tools"}, isComparison && moved(root) > 0 ? modes : null, crumbs,
            isComparison ? el("span", {class: "legend quiet"}, el("i", {}), "unchanged", el("i", {class: "up"}), "grew by this part", el("i", {class: "down"}), "shrank by this part") : null),
            map, readout);
        }

        """#
}
