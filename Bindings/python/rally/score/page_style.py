"""The look of the page: one column on a phone, tables on a desk; all text at least 4.5 : 1 in light and dark."""

STYLE = """
:root { color-scheme: light dark; --back: #ffffff; --text: #1d2125; --quiet: #555b61; --line: #d5d9de;
  --kept: #2a6fb0; --dropped: #8a929c; --cut: #a3260f; --card: #f3f5f7 }
@media (prefers-color-scheme: dark) { :root { --back: #16181c; --text: #e6e8ea; --quiet: #a9b0b8; --line: #3a4048;
  --kept: #6fb1ee; --dropped: #767e88; --cut: #ff9b85; --card: #20242a } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; background: var(--back); color: var(--text); max-width: 72rem;
  margin: 0 auto; padding: 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.4rem; line-height: 1.25 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
p, figcaption, .quiet { color: var(--quiet) } a { color: var(--kept) }
:focus-visible { outline: 3px solid var(--kept); outline-offset: 2px }
dl.totals { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .5rem; margin: 1rem 0 }
dl.totals div { background: var(--card); border-radius: .4rem; padding: .5rem .75rem }
dl.totals dt { color: var(--quiet); font-size: .85rem } dl.totals dd { margin: 0; font-size: 1.2rem;
  font-variant-numeric: tabular-nums }
figure { margin: 0; max-width: 40rem } svg { display: block; width: 100%; height: auto }
.axis { display: flex; justify-content: space-between; font-size: .8rem; color: var(--quiet) }
.kept { fill: var(--kept) } .dropped { fill: var(--dropped) }
.cut { stroke: var(--cut); stroke-width: 2; stroke-dasharray: 4 3 }
.flag { color: var(--cut); font-weight: 600 }
table { border-collapse: collapse; width: 100% }
caption { text-align: left; color: var(--quiet); padding-bottom: .3rem }
th, td { padding: .35rem .5rem; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top;
  font-variant-numeric: tabular-nums; font-weight: 400; white-space: nowrap }
thead th { color: var(--quiet); font-size: .85rem }
th:first-child, .left { text-align: left; white-space: normal } td.figure { width: 11rem }
ul.texts { list-style: none; padding: 0 }
ul.texts li { border-left: 4px solid var(--dropped); padding: 0 0 0 .75rem; margin: .75rem 0 }
ul.texts li.stays { border-color: var(--kept) }
ul.texts blockquote { margin: .1rem 0; white-space: pre-line }
details { border-bottom: 1px solid var(--line); padding: .3rem 0 } summary { cursor: pointer }
@media (max-width: 46rem) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  table, caption, tbody, tr, th[scope=row], td { display: block; width: 100% }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0 }
  th, td { border: 0; padding: .1rem 0 } th[scope=row] { font-weight: 600 }
  td { display: flex; justify-content: space-between; gap: 1rem; text-align: right }
  td::before { content: attr(data-label); color: var(--quiet) } td:empty { display: none }
  td.figure, td.left { display: block; width: 100%; text-align: left } td.figure::before { content: none }
}
"""
