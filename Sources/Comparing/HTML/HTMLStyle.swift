extension HTMLPage {
    /// How the page looks: one set of colours, each with its light and its dark value.
    static let style = #"""
        :root { color-scheme: light dark;
          --page: light-dark(#fff, #14171b); --raised: light-dark(#f5f6f8, #1c2026);
          --line: light-dark(#dfe2e7, #323841); --text: light-dark(#1b1f24, #dde1e6);
          --quiet: light-dark(#59616c, #9aa3ae); --link: light-dark(#0a5cb8, #7ab8ff);
          --bad: light-dark(#b3261e, #ff8f85); --warn: light-dark(#8a5300, #f0b25c); --good: light-dark(#1a6b35, #6fcf8e);
          --bad-fill: light-dark(#fdeceb, #3d1d1b); --warn-fill: light-dark(#fdf3e2, #35280f);
          --good-fill: light-dark(#e8f5ec, #15301e);
          --grew: light-dark(#e08b3c, #b8681f); --shrank: light-dark(#5aa2d8, #2f76ab); --grew-text: light-dark(#9a4a00, #f0a860);
          --shrank-text: light-dark(#0b5a96, #7dbdf0);
          --tile: light-dark(#e9ecf0, #2a3037); --tile-edge: light-dark(#fff, #14171b);
          --grew-fill: light-dark(#fbeedd, #3b2d1c); --shrank-fill: light-dark(#e0effa, #1b3144);
          --mono: ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", Menlo, Consolas, monospace; }
        :root[data-scheme="light"] { color-scheme: light } :root[data-scheme="dark"] { color-scheme: dark }
        * { box-sizing: border-box }
        html { scroll-padding-top: 3rem }
        body { margin: 0; background: var(--page); color: var(--text);
          font: 14px/1.45 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif }
        main, header { max-width: 84rem; margin: 0 auto; padding: 0 1.25rem }
        a { color: var(--link) }
        :focus-visible { outline: 2px solid var(--link); outline-offset: 1px; border-radius: 2px }
        h1 { font-size: 1.35rem; font-weight: 600; margin: 1rem 0 .35rem; overflow-wrap: anywhere }
        h2 { font-size: 1.1rem; font-weight: 600; margin: 0 0 .5rem }
        h3 { font-size: .95rem; font-weight: 600; margin: 1rem 0 .4rem }
        h2 .note { font-weight: 400; color: var(--quiet); font-size: .9rem; margin-left: .6em }
        section { padding: 1.4rem 0 .6rem; border-top: 1px solid var(--line); margin-top: 1.1rem }
        p { margin: .4rem 0 }
        .list span { white-space: nowrap; margin-right: .35em }
        .quiet { color: var(--quiet) } .bad { color: var(--bad) } .warn { color: var(--warn) } .good { color: var(--good) }
        .grew { color: var(--grew-text) } .shrank { color: var(--shrank-text) }
        .path, code, pre { font-family: var(--mono); font-size: .88em; unicode-bidi: isolate; direction: ltr }
        .path { overflow-wrap: anywhere }
        td summary { min-width: 8rem }
        .skip { position: absolute; left: -99rem } .skip:focus { left: 1rem; top: .5rem; background: var(--page); z-index: 9 }

        nav { position: sticky; top: 0; z-index: 5; background: var(--page); border-bottom: 1px solid var(--line) }
        nav ul { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .9rem; list-style: none; max-width: 84rem; margin: 0 auto;
          padding: .4rem 1.25rem; font-size: .9rem }
        nav a { text-decoration: none; color: var(--text) } nav a:hover { text-decoration: underline }
        nav .count { color: var(--quiet); margin-left: .25em; font-variant-numeric: tabular-nums }
        nav .push { margin-left: auto }

        .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .6rem; margin: .9rem 0; padding: 0;
          list-style: none }
        .cards a { display: block; height: 100%; padding: .55rem .7rem; border: 1px solid var(--line); border-left-width: 4px; border-radius: 5px;
          background: var(--raised); color: var(--text); text-decoration: none }
        .cards a:hover { border-color: var(--link) }
        .cards b { display: block; font-size: 1.25rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums }
        .cards .long { font-size: .95rem; line-height: 1.5; overflow-wrap: anywhere }
        .cards span { display: block; color: var(--quiet); font-size: .84rem; line-height: 1.3 }
        .cards .bad { border-left-color: var(--bad) } .cards .bad b { color: var(--bad) }
        .cards .warn { border-left-color: var(--warn) } .cards .warn b { color: var(--warn) }
        .cards .good { border-left-color: var(--good) }
        .box { border: 1px solid var(--line); border-left: 4px solid var(--warn); border-radius: 5px; padding: .5rem .8rem; margin: .6rem 0 }
        .box ul { margin: .2rem 0; padding-left: 1.2rem }

        .tools { display: flex; flex-wrap: wrap; gap: .5rem .8rem; align-items: center; margin: .4rem 0 }
        .tools label { color: var(--quiet); font-size: .88rem }
        input, select, button { font: inherit; font-size: .9rem; color: inherit; background: var(--page); border: 1px solid var(--line);
          border-radius: 4px; padding: .2rem .45rem }
        input[type=search] { width: 17rem; max-width: 60vw } button { cursor: pointer; background: var(--raised) }
        button:hover { border-color: var(--link) } button[aria-pressed=true] { background: var(--text); color: var(--page) }
        .scroll { overflow-x: auto } .paper { display: none }
        table { border-collapse: collapse; width: 100%; font-size: .93em }
        caption { text-align: left; position: absolute; left: -99rem }
        th, td { text-align: left; vertical-align: top; padding: .22rem .7rem .22rem 0; border-bottom: 1px solid var(--line) }
        thead th { border-bottom: 1px solid var(--quiet); white-space: nowrap; font-weight: 600 }
        thead button { all: unset; cursor: pointer; font-weight: 600 } thead button:focus-visible { outline: 2px solid var(--link) }
        thead button::after { content: " ↕"; color: var(--line) }
        [aria-sort=ascending] button::after { content: " ↑"; color: var(--text) }
        [aria-sort=descending] button::after { content: " ↓"; color: var(--text) }
        td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
        td.short { white-space: nowrap }
        tbody tr:hover { background: var(--raised) }
        table.facts { width: auto } table.facts th { font-weight: 400; color: var(--quiet); white-space: nowrap }
        table.facts td.differs { font-weight: 600 }
        .badge { display: inline-block; min-width: 4.2em; padding: 0 .45em; border-radius: 3px; font-size: .84em; text-align: center;
          background: var(--tile) }
        .badge.high, .badge.removed, .badge.disabled { background: var(--bad-fill); color: var(--bad) }
        .badge.medium, .badge.changed, .badge.downgraded { background: var(--warn-fill); color: var(--warn) }
        .badge.added, .badge.enabled, .badge.upgraded { background: var(--good-fill); color: var(--good) }
        .bar { display: inline-block; width: 7rem; height: .7em; position: relative; vertical-align: baseline; background: var(--raised) }
        .bar i { position: absolute; top: 0; bottom: 0 } .bar .up { background: var(--grew) } .bar .down { background: var(--shrank) }
        .bar.whole .up { background: var(--quiet) }
        details > summary { cursor: pointer } details ul.plain { margin: .3rem 0 .5rem; padding-left: 1.2rem }
        ul.plain li { overflow-wrap: anywhere }

        .patch { border: 1px solid var(--line); border-radius: 5px; margin: .4rem 0; overflow: hidden }
        .patch > summary { padding: .3rem .6rem; background: var(--raised) }
        .patch pre { margin: 0; padding: .35rem 0; overflow-x: auto; line-height: 1.4; tab-size: 4 }
        .patch pre span { display: block; padding: 0 .8rem; min-width: max-content }
        .patch .plus { background: var(--good-fill) } .patch .minus { background: var(--bad-fill) } .patch .at { color: var(--quiet) }

        .map { position: relative; width: 100%; aspect-ratio: 100 / 38; min-height: 16rem; background: var(--tile-edge); overflow: hidden }
        .tile { position: absolute; overflow: hidden; background: var(--tile); border: 0; box-shadow: inset 0 0 0 1px var(--tile-edge); padding: 0; border-radius: 0; color: var(--text);
          font-size: .8rem; line-height: 1.25; text-align: left; cursor: default; display: flex; flex-direction: column; justify-content: flex-start }
        .tile.bigger { background: var(--grew-fill) } .tile.smaller { background: var(--shrank-fill) }
        .tile.deeper { cursor: zoom-in } .tile span { position: relative; display: block; padding: 0 .3rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
        .tile i { position: absolute; left: 1px; bottom: 1px; right: 1px } .tile .up { background: var(--grew) } .tile .down { background: var(--shrank) }
        .tile:hover, .tile:focus-visible { outline: 2px solid var(--link); outline-offset: -2px; z-index: 2 }
        .moves .bigger { background: color-mix(in srgb, var(--grew) 45%, var(--page)) } .moves .smaller { background: color-mix(in srgb, var(--shrank) 45%, var(--page)) }
        .tile.gone { background: repeating-linear-gradient(45deg, var(--tile), var(--tile) 5px, var(--shrank) 5px, var(--shrank) 7px) }
        .group { position: absolute; pointer-events: none; border: 1.5px solid var(--quiet); z-index: 1 }
        .readout { min-height: 1.5em; margin: .25rem 0; color: var(--quiet); overflow-wrap: anywhere }
        .legend i { display: inline-block; width: .9em; height: .9em; vertical-align: -.1em; margin: 0 .3em 0 .9em; background: var(--tile) }
        .legend .up { background: var(--grew) } .legend .down { background: var(--shrank) }

        .graph { display: block; width: 100%; min-width: 46rem; height: auto; font-size: 12px }
        .graph text { fill: var(--text) } .graph .head { fill: var(--quiet); font-weight: 600 }
        .graph .node rect { fill: var(--raised); stroke: var(--line) } .graph .node { cursor: pointer; outline: none }
        .graph .node:focus-visible rect { stroke: var(--link); stroke-width: 2.5 }
        .graph .changed rect, .graph .downgraded rect { fill: var(--warn-fill) } .graph .enabled rect { fill: var(--good-fill) }
        .graph .disabled rect, .graph .unknown rect { fill: var(--bad-fill) }
        .graph path { fill: none; stroke: var(--quiet); stroke-opacity: .38; stroke-width: 1.2 }
        .graph.lit .node:not(.on) { opacity: .28 } .graph.lit path:not(.on) { stroke-opacity: .07 }
        .graph path.on { stroke: var(--link); stroke-opacity: .95; stroke-width: 1.8 }

        header h2 { margin-top: 1.2rem } header h3 { margin-top: .8rem }
        .trends { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: .4rem 1.2rem }
        .trend { display: block; width: 100%; height: auto; font-size: 13px }
        .trend text { fill: var(--quiet) } .trend .line { fill: none; stroke: var(--link); stroke-width: 1.5 }
        .trend circle { fill: var(--link) } .trend .axis { stroke: var(--line) } .trend .name { fill: var(--text); font-weight: 600 }

        @media print {
          :root, :root[data-scheme] { color-scheme: light }
          body { font-size: 9.5pt } nav, .tools, .skip, .more, .readout { display: none !important } .tile { font-size: 7pt }
          main, header { max-width: none; padding: 0 } section { padding-top: .6rem; margin-top: .6rem }
          h2, h3, summary { break-after: avoid } tr, .cards li, .map, .patch pre span { break-inside: avoid } thead { display: table-header-group }
          .tile, .badge, .bar i, .patch .plus, .patch .minus, .legend i, .cards a, .graph { print-color-adjust: exact }
          .patch pre span { white-space: pre-wrap; min-width: 0; overflow-wrap: anywhere } .scroll { overflow: visible }
          thead button::after { content: "" !important } a { color: inherit; text-decoration: none } .graph { min-width: 0 }
          .paper:not(:empty) { display: block } td.short b { white-space: normal; overflow-wrap: break-word }
          @page { margin: 14mm }
        }
        """#
}
