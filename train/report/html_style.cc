// report.html: its style sheet. Every colour is a variable, set once for light and once for dark.
#include "train/report/html_parts.h"

namespace giza::train {

const char* const kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #faf7f1; --card: #fffdf8; --ink: #211d17; --muted: #635b4f; --line: #e3dbcd; --strong: #b9ad99;
  --accent: #8a5400; --track: #ece4d6; --span: #d9a441; --mark: #fdeab5;
  --s0: #0b5c86; --s1: #b24a0c; --s2: #5d7413; --wrong: #a83a12;
  --cell-right: #0b485e; --cell-wrong: #82280a; --on-weak: #000000; --on-strong: #ffffff;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "URW Palladio L", Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15161a; --card: #1c1e23; --ink: #ece7dd; --muted: #aba394; --line: #34363d; --strong: #6a6c74;
    --accent: #e5b358; --track: #2c2e35; --span: #9c7327; --mark: #4a3b12;
    --s0: #6fbbe9; --s1: #f39a5f; --s2: #b3cf5b; --wrong: #ff9a6c;
    --cell-right: #64a5cb; --cell-wrong: #e78458; --on-weak: #ffffff; --on-strong: #000000;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 4rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 var(--sans);
  overflow-wrap: break-word; }
.skip { position: absolute; left: -100vw; top: 0; background: var(--card); padding: .6rem 1rem; z-index: 3; }
.skip:focus { left: 0; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.top, main, footer { max-width: 74rem; margin: 0 auto; padding: 0 clamp(1rem, 4vw, 2.5rem); }
.top { padding-top: clamp(1.6rem, 5vw, 3.4rem); }
.kicker { margin: 0; color: var(--accent); font-weight: 650; letter-spacing: .02em; }
.kicker span { color: var(--muted); font-weight: 400; }
h1, h2, h3, h4 { line-height: 1.2; overflow-wrap: anywhere; text-wrap: balance; }
h1 { font: 600 clamp(1.9rem, 6vw, 3.1rem)/1.1 var(--serif); margin: .25rem 0 .7rem; letter-spacing: -.01em; }
h2 { font: 600 clamp(1.4rem, 3.4vw, 1.85rem)/1.2 var(--serif); margin: 0 0 1rem; }
h3 { font-size: 1.02rem; font-weight: 650; margin: 0 0 .6rem; }
h4 { font-size: 1rem; font-weight: 650; margin: 0 0 .2rem; }
.summary { list-style: none; margin: 0 0 1.4rem; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.4rem;
  color: var(--muted); overflow-wrap: anywhere; }
nav { position: sticky; top: 0; z-index: 2; background: var(--paper); border-block: 1px solid var(--line); }
nav ul { max-width: 74rem; margin: 0 auto; padding: 0 clamp(.4rem, 3.4vw, 2rem); list-style: none; display: flex;
  overflow-x: auto; scrollbar-width: none; }
nav a { display: block; padding: .7rem .65rem; color: var(--ink); text-decoration: none; font-size: .93rem;
  white-space: nowrap; }
nav a:hover { color: var(--accent); text-decoration: underline; text-underline-offset: .3em; }
section { padding: clamp(1.8rem, 5vw, 3rem) 0 0; }
section + section { border-top: 1px solid var(--line); margin-top: clamp(1.8rem, 5vw, 3rem); }
footer { margin-top: 3rem; padding-bottom: 2.5rem; color: var(--muted); font-size: .88rem; }
.cards { display: grid; gap: 1rem; align-items: start; grid-template-columns: minmax(0, 1fr); }
.stack { display: grid; gap: 1rem; align-content: start; grid-template-columns: minmax(0, 1fr); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.2rem 1.3rem; }
.card > :last-child { margin-bottom: 0; }
.card.main { border-color: var(--strong); }
.card h3 { color: var(--muted); font-weight: 600; }
.big { font: 600 clamp(3rem, 11vw, 4.6rem)/1 var(--serif); margin: .1rem 0 .8rem; font-variant-numeric: lining-nums; }
.big .what { display: block; font: 650 1rem/1.4 var(--sans); }
.unit { font-size: .5em; color: var(--muted); }
.interval { display: block; width: 100%; max-width: 26rem; margin-bottom: .6rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.2rem, 1fr)); gap: .9rem 1.2rem; margin: 1rem 0; }
.figures div { display: flex; flex-direction: column; justify-content: space-between; }
.figures dt { color: var(--muted); font-size: .86rem; line-height: 1.3; }
.figures dd { margin: .1rem 0 0; font-size: 1.5rem; font-weight: 600; line-height: 1.2; font-variant-numeric: tabular-nums; }
.protocol { overflow-wrap: anywhere; margin: .8rem 0; padding-left: .8rem; border-left: 3px solid var(--span); font-size: .93rem; }
.protocol span { display: block; color: var(--muted); font-size: .8rem; }
.note, .caption { color: var(--muted); font-size: .9rem; max-width: 68ch; margin: .8rem 0; overflow-wrap: anywhere; }
.note b { color: var(--ink); }
.warn { border-left: 3px solid var(--wrong); padding-left: .8rem; color: var(--ink); }
.nothing { color: var(--muted); font-style: italic; }
.panels { display: grid; gap: 2rem 2.4rem; grid-template-columns: minmax(0, 1fr); }
figure { margin: 0; }
.chart { position: relative; }
.chart svg { display: block; width: 100%; height: auto; }
.chart svg.wide { display: none; }
.keys { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: 0; margin: 0 0 .3rem; font-size: .9rem; }
.chart .key { display: inline-block; width: 26px; height: 10px; margin-right: .4rem; }
svg text { font-family: var(--sans); }
.tick { font-size: 12px; fill: var(--muted); font-variant-numeric: tabular-nums; }
.label { font-size: 12px; fill: var(--muted); }
.grid { stroke: var(--line); }
.axis { stroke: var(--strong); }
.curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.band { stroke: none; fill-opacity: .2; }
.curve.s0 { stroke: var(--s0); } .dot.s0, .band.s0, rect.s0 { fill: var(--s0); }
.curve.s1 { stroke: var(--s1); stroke-dasharray: 7 3; } .dot.s1, .band.s1 { fill: var(--s1); }
.curve.s2 { stroke: var(--s2); stroke-dasharray: 2 3; } .dot.s2, .band.s2 { fill: var(--s2); }
.cursor { stroke: var(--muted); visibility: hidden; }
.readout { display: block; min-height: 1.4em; font-size: .86rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
.panel .caption { margin-top: .2rem; }
.half { max-width: 36rem; }
html:not(.js) .readout, html:not(.js) .js { display: none; }
.track { fill: var(--track); } .span { fill: var(--span); } .value { fill: var(--ink); }
.matrix { display: block; }
rect.right { fill: var(--cell-right); } rect.wrong { fill: var(--cell-wrong); } rect.empty { fill: var(--track); fill-opacity: .45; }
.count { font-size: 11px; fill: var(--on-weak); font-variant-numeric: tabular-nums; pointer-events: none; }
.count.strong { fill: var(--on-strong); }
.scroll { overflow-x: auto; max-width: 100%; margin: 0 0 .6rem; }
#classes .scroll { max-height: 44rem; overflow-y: auto; }
table { border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums; min-width: 100%; }
th, td { text-align: left; padding: .38rem .8rem .38rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { font-size: .86rem; font-weight: 600; color: var(--muted); vertical-align: bottom; position: sticky; top: 0;
  background: var(--paper); z-index: 1; }
tbody th { font-weight: 500; }
tbody th, .name { min-width: 9rem; max-width: 17rem; overflow-wrap: anywhere; }
.classes th:first-child { position: sticky; left: 0; background: var(--paper); z-index: 1; }
.classes thead th:first-child { z-index: 2; }
.n { text-align: right; }
td.n { white-space: nowrap; }
.wide { min-width: 9.5rem; }
.wide span:last-child { display: inline-block; min-width: 3.3em; }
td:last-child, th:last-child { padding-right: .3rem; }
td .bar { display: inline-block; vertical-align: middle; width: 4.6rem; height: .55rem; margin-right: .5rem; border-radius: 3px;
  background: linear-gradient(var(--of), var(--of)) 0 0 / var(--share) 100% no-repeat var(--track); }
.bar.iou { --of: var(--s0); } .bar.acc { --of: var(--s2); } .bar.wrong { --of: var(--wrong); }
.absent th, .absent td { color: var(--muted); }
.tag { font-size: .78rem; border: 1px solid var(--strong); border-radius: 4px; padding: 0 .3rem; white-space: nowrap; }
thead button { all: unset; cursor: pointer; }
thead button:hover { color: var(--accent); }
thead button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort] { color: var(--ink); }
th[aria-sort=ascending] button::after { content: " ▲"; font-size: .7em; }
th[aria-sort=descending] button::after { content: " ▼"; font-size: .7em; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .45em; border-radius: 2px; vertical-align: -.05em;
  border: 1px solid var(--strong); }
.hatch { background: repeating-linear-gradient(135deg, #eeece8 0 3px, #b0aba3 3px 6px); }
.example { padding: 0 0 1.6rem; }
.example h4 { font-family: var(--mono); font-size: .95rem; }
.of { margin: 0 0 .5rem; color: var(--muted); font-size: .9rem; }
.of b { color: var(--ink); }
.views { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .5rem; }
.views img { display: block; width: 100%; height: auto; border-radius: 3px; background: var(--track); }
.views img.drawing { image-rendering: pixelated; }
.views figcaption { font-size: .84rem; color: var(--muted); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .15rem 1rem; padding: 0; margin: .5rem 0 0; font-size: .88rem;
  overflow-wrap: anywhere; }
details { margin: 1.2rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
code, pre { font-family: var(--mono); font-size: .86rem; }
pre { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; width: max-content;
  min-width: 100%; }
mark { background: var(--mark); color: inherit; }
.settings td { overflow-wrap: anywhere; min-width: 7rem; }
span.empty { color: var(--muted); font-style: italic; }
.facts { margin: 0; }
.facts div { display: grid; grid-template-columns: minmax(7rem, 11rem) minmax(0, 1fr); gap: .8rem; padding: .3rem 0;
  border-bottom: 1px solid var(--line); }
.facts dt { color: var(--muted); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
@media (min-width: 52rem) {
  .cards { grid-template-columns: minmax(0, 1.25fr) minmax(0, 1fr); }
  .cards > :only-child { grid-column: 1 / -1; }
  .panels { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .views { grid-template-columns: repeat(4, minmax(0, 1fr)); }
}
@media (min-width: 36rem) and (max-width: 51.99rem), (min-width: 78rem) {
  .chart svg.wide { display: block; }
  .chart svg.narrow { display: none; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --muted: #444; --line: #ccc; --strong: #888; --track: #e8e8e8;
    --s0: #0b5c86; --s1: #b24a0c; --s2: #5d7413; --wrong: #a83a12; --cell-right: #0b485e; --cell-wrong: #82280a;
    --on-weak: #000; --on-strong: #fff; --span: #d9a441;
    --mark: #fdeab5; --accent: #8a5400; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 11pt; }
  nav, .skip, .readout { display: none; }
  .top, main, footer { max-width: none; padding-inline: 0; }
  .scroll, #classes .scroll { overflow: visible; max-height: none; }
  .matrix { max-width: 100%; height: auto; }
  pre { width: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
  .card, .panel, .example, figure, tr { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
)css";

}  // namespace giza::train
