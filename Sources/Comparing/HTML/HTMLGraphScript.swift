extension HTMLPage {
    /// The services' impact as a graph of three columns.
    static let graphScript = #"""
        // What each service needs that changed, as nodes and edges: services, members, causes. Members that the same
        // services need for the same cause are one node; were there too many of them, all of a cause are; what is still too much
        // is `left` to the table.
        function impact(services, packages) {
          const most = 60;
          const moved = new Map(packages.map(item => [item.name, item]));
          const users = new Map();
          for (const service of services) for (const member of service.members) {
            if (!users.has(member.path)) users.set(member.path, {member, services: []});
            users.get(member.path).services.push(service.name);
          }
          const isKept = new Map(services.map(service => [service.name, service.change !== "enabled" && service.change !== "disabled"]));
          function grouped(key, isWanted = () => true) {
            const groups = new Map();
            for (const user of users.values()) {
              const member = user.member, services = user.services.filter(isWanted);
              if (!services.length) continue;
              const name = key(member, services);
              if (!groups.has(name)) groups.set(name, {members: [], services: new Set(), cause: member.cause});
              groups.get(name).members.push(member);
              services.forEach(service => groups.get(name).services.add(service));
            }
            return [...groups.values()];
          }
          let groups = grouped((member, services) => [causeText(member.cause), member.role, services.join(" ")].join("\n"));
          if (groups.length > most) groups = grouped(member => causeText(member.cause));
          // What is new as a whole hides what an old service has to bear.
          if (groups.length > most) groups = grouped(member => causeText(member.cause), name => isKept.get(name));
          const left = Math.max(0, groups.length - most);
          groups = groups.sort((a, b) => b.services.size - a.services.size).slice(0, most);
          const columns = [[], [], []], edges = [];
          const plural = {library: "libraries"};
          for (const service of services) columns[0].push({id: "s " + service.name, text: service.name.replace(/\.service$/, ""), kind: service.change,
            says: service.name + ", " + service.change + (service.members.length ? ", needs " + counted(service.members.length, "changed file") : "")});
          const causes = new Map();
          groups.forEach((group, index) => {
            const first = group.members[0], role = first.role, names = group.members.map(member => member.path);
            const sameRole = group.members.every(member => member.role === role);
            const text = names.length === 1 ? names[0].split("/").pop()
              : names.length + " " + (sameRole ? plural[role] || role + "s" : "files") + ": " + names[0].split("/").pop() + ", …";
            const id = "m " + index, reason = causeText(group.cause), item = group.cause.kind === "package" ? moved.get(group.cause.name) : null;
            columns[1].push({id, text, kind: sameRole ? role : "file",
              says: (sameRole ? role + " " : "") + names.slice(0, 12).join(", ") + (names.length > 12 ? ", and " + (names.length - 12) + " more" : "")});
            if (!causes.has(reason)) causes.set(reason, {id: "c " + reason, kind: item ? item.change : group.cause.kind === "none" ? "unknown" : "",
              text: (item ? item.name + " " + (item.new || "removed") : reason),
              says: reason + (item ? ", " + item.change + " " + [item.old, item.new].filter(version => version).join(" → ") : "")});
            group.services.forEach(service => edges.push(["s " + service, id]));
            edges.push([id, "c " + reason]);
          });
          columns[2] = [...causes.values()];
          return {columns, edges, left};
        }

        // Puts each column's nodes beside those that they are tied to, so that few edges cross.
        function settle({columns, edges}) {
          const near = new Map(columns.flat().map(node => [node.id, []]));
          for (const [from, to] of edges) { near.get(from).push(to); near.get(to).push(from); }
          const place = new Map();
          const put = column => column.forEach((node, index) => place.set(node.id, (index + .5) / column.length));
          columns.forEach(put);
          for (let round = 0; round < 6; round += 1) for (const index of [1, 2, 1, 0]) {
            const column = columns[index], beside = index === 1 ? columns[round % 2 ? 0 : 2] : columns[1];
            const known = new Set(beside.map(node => node.id));
            const mean = new Map(column.map(node => {
              const ties = near.get(node.id).filter(id => known.has(id));
              return [node.id, ties.length ? sum(ties, id => place.get(id)) / ties.length : 2];
            }));
            column.sort((a, b) => mean.get(a.id) - mean.get(b.id) || order(a.text, b.text));
            put(column);
          }
          return near;
        }

        // Draws it. A node that has the focus, the pointer or a press shows what it is tied to.
        function graph(label, model) {
          const near = settle(model), {columns, edges} = model;
          const row = 25, wide = [220, 330, 280], left = [0, 390, 920], height = 26 + row * Math.max(...columns.map(column => column.length));
          const spots = new Map(), nodes = new Map(), lines = [];
          const picture = svg("svg", {class: "graph", viewBox: "0 0 1200 " + height, role: "group", "aria-label": label});
          ["Services", "Changed files that they need", "Why those changed"].forEach((text, index) =>
            picture.append(svg("text", {class: "head", x: left[index], y: 13}, text)));
          columns.forEach((column, index) => column.forEach((node, number) => spots.set(node.id,
            {column: index, number, x: left[index], width: wide[index], y: 26 + (height - 26) * (number + .5) / column.length})));
          for (const [from, to] of edges) {
            const a = spots.get(from), b = spots.get(to), x = a.x + a.width, middle = (x + b.x) / 2;
            const line = svg("path", {d: `M${x} ${a.y}C${middle} ${a.y} ${middle} ${b.y} ${b.x} ${b.y}`});
            lines.push({line, from, to});
            picture.append(line);
          }
          let pressed = null;
          // Towards the services and towards the causes, never back.
          function tied(id) {
            const found = new Set([id]);
            for (const direction of [-1, 1]) {
              let front = [id];
              while (front.length) front = front.flatMap(from => near.get(from).filter(to => spots.get(to).column - spots.get(from).column === direction))
                .filter(to => !found.has(to) && found.add(to));
            }
            return found;
          }
          function light(id) {
            const on = id ? tied(id) : new Set();
            picture.classList.toggle("lit", Boolean(id));
            nodes.forEach((node, key) => node.classList.toggle("on", on.has(key)));
            lines.forEach(({line, from, to}) => line.classList.toggle("on", on.has(from) && on.has(to)));
          }
          function focus(id) {
            nodes.forEach((node, key) => node.setAttribute("tabindex", key === id ? "0" : "-1"));
            nodes.get(id).focus();
          }
          function press(id) {
            pressed = pressed === id ? null : id;
            nodes.forEach((node, key) => node.setAttribute("aria-pressed", String(key === pressed)));
            light(pressed || id);
          }
          function move(event, node) {
            const spot = spots.get(node.id), column = columns[spot.column];
            const beside = direction => near.get(node.id).filter(id => spots.get(id).column === spot.column + direction)
              .sort((a, b) => spots.get(a).y - spots.get(b).y)[0];
            const next = {ArrowUp: () => column[spot.number - 1]?.id, ArrowDown: () => column[spot.number + 1]?.id, Home: () => column[0].id,
              End: () => column.at(-1).id, ArrowLeft: () => beside(-1), ArrowRight: () => beside(1)}[event.key];
            if (next) { const id = next(); if (id) focus(id); }
            else if (event.key === "Enter" || event.key === " ") press(node.id);
            else if (event.key === "Escape") { pressed = null; light(null); }
            else return;
            event.preventDefault();
          }
          for (const node of columns.flat()) {
            const {x, y, width} = spots.get(node.id), fits = Math.floor(width / 7.2);
            // A text is cut where its box ends; what it is whole is its name.
            const text = visible(node.text), shown = [...text].length > fits ? [...text].slice(0, fits - 1).join("") + "…" : text;
            const item = svg("g", {class: "node " + node.kind, tabindex: nodes.size ? "-1" : "0", role: "button", "aria-pressed": "false", "aria-label": node.says,
              focus: () => light(node.id), blur: () => light(pressed), mouseenter: () => light(node.id), mouseleave: () => light(pressed),
              click: () => press(node.id), keydown: event => move(event, node)},
              svg("title", {}, node.says), svg("rect", {x, y: y - 10, width, height: 20, rx: 3}), svg("text", {x: x + 7, y: y + 4}, shown));
            nodes.set(node.id, item);
            picture.append(item);
          }
          return [el("div", {class: "scroll"}, picture),
            model.left ? el("p", {class: "quiet"}, "… and " + counted(model.left, "other cause") + ", by service in the table.") : null];
        }

        """#
}
