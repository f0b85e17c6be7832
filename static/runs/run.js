// The curves of a training run: drawn by uPlot in the page's own colours, followed while it runs. The fragment
// that live.js morphs in says how far the run is; only the points beyond what is drawn are then fetched.
import { t } from "../base/i18n.js";

const WIDE = 230;
const SMALL = 130;
const AGAIN = 1000; // ms
const PATIENCE = 5;
const NOTHING = { steps: [], total: 0, columns: {}, labels: {}, shares: [] };
const box = document.getElementById("live");
const said = document.getElementById("run-points");
const run = said ? JSON.parse(said.textContent) : NOTHING;
const charts = new Map(); // column -> chart
const sync = window.uPlot.sync("run");

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
const colour = (token) => {
  probe.style.color = `var(${token})`;
  return getComputedStyle(probe).color;
};
const worded = (column, value) => {
  if (value === null || value === undefined) return "–";
  if (run.shares.includes(column)) return `${(100 * value).toFixed(1)} %`;
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
  return value && Math.abs(value) < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
};

class Chart {
  constructor(column, place) {
    Object.assign(this, { column, at: null });
    this.figure = document.createElement("figure");
    this.figure.className = `run-chart${column === "loss" ? " wide" : ""}`;
    this.figure.tabIndex = 0;
    this.figure.setAttribute("role", "group");
    this.figure.setAttribute("aria-label", t("{name} by step. Arrow keys read single points.", { name: run.labels[column] }));
    const head = document.createElement("figcaption");
    const name = document.createElement("span");
    name.textContent = run.labels[column];
    this.value = document.createElement("output");
    head.append(name, this.value);
    this.figure.append(head);
    place.append(this.figure);
    const height = column === "loss" ? WIDE : SMALL;
    this.plot = new window.uPlot(this.#options(height), this.#data(), this.figure);
    new ResizeObserver(() => this.plot.setSize({ width: this.#width(), height })).observe(this.figure);
    this.figure.addEventListener("keydown", (event) => this.#key(event));
    this.figure.addEventListener("blur", () => { this.at = null; this.plot.setCursor({ left: -10, top: -10 }); });
    this.#say();
  }

  #width() { return Math.max(160, this.figure.clientWidth); }

  #data() { return [run.steps, run.columns[this.column]]; }

  #options(height) {
    const axis = {
      stroke: () => colour("--muted"), font: "12px system-ui, sans-serif", ticks: { show: false },
      grid: { stroke: () => colour("--line"), width: 1 },
    };
    return {
      width: this.#width(), height, padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: sync.key }, y: false, drag: { x: false, y: false }, points: { size: 7, fill: () => colour("--chart-1") } },
      scales: { x: { time: false, range: () => [0, Math.max(run.total, run.steps.at(-1) ?? 1)] } },
      axes: [
        { ...axis, size: 26, grid: { show: false } },
        { ...axis, size: 58, space: 24, values: (_, ticks) => ticks.map((tick) => worded(this.column, tick)) },
      ],
      series: [{}, { stroke: () => colour("--chart-1"), width: 2, spanGaps: true, points: { show: run.steps.length < 3, fill: () => colour("--chart-1") } }],
      hooks: { setCursor: [() => this.#say()] },
    };
  }

  // What the cursor is on, else the latest.
  #say() {
    const at = this.plot?.cursor.idx ?? null;
    const index = at ?? run.steps.length - 1;
    const value = worded(this.column, run.columns[this.column][index]);
    this.value.textContent = at === null ? value : t("step {n}: {value}", { n: run.steps[index], value });
  }

  #key(event) {
    const last = run.steps.length - 1;
    const from = this.at ?? last + 1;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.at = Math.min(Math.max(to, 0), last);
    this.value.setAttribute("aria-live", "polite"); // the reader moved: say it; not each new step of the run
    this.plot.setCursor({ left: this.plot.valToPos(run.steps[this.at], "x"), top: 10 });
  }

  redraw() { this.plot.redraw(false); }

  refresh() {
    this.value.removeAttribute("aria-live");
    this.plot.setData(this.#data());
    this.#say();
  }
}

function draw() {
  const place = document.getElementById("run-charts");
  if (!place) return; // no point was measured yet
  for (const column of Object.keys(run.columns)) {
    if (charts.has(column)) charts.get(column).refresh();
    else charts.set(column, new Chart(column, place));
  }
}

function join(more) {
  const before = run.steps.length;
  run.steps.push(...more.steps);
  run.total = more.total || run.total;
  for (const column of new Set([...Object.keys(run.columns), ...Object.keys(more.columns)])) {
    const known = (run.columns[column] ??= Array(before).fill(null));
    known.push(...(more.columns[column] ?? more.steps.map(() => null)));
  }
  Object.assign(run.labels, more.labels);
  run.shares = [...new Set([...run.shares, ...more.shares])];
}

const behind = () => Number(box.querySelector("[data-step]")?.dataset.step ?? 0) > (run.steps.at(-1) ?? 0);
let asking = false;
let inVain = 0;
async function follow() {
  const place = document.getElementById("run-charts");
  if (!place || asking || !behind()) return;
  asking = true;
  try {
    const reply = await fetch(`${place.dataset.points}?after=${run.steps.at(-1) ?? 0}`);
    if (reply.ok) {
      const more = await reply.json();
      inVain = more.steps.length ? 0 : inVain + 1;
      join(more);
      draw();
    }
  } catch {
    // away for a moment: the next change of the page asks again
  }
  asking = false;
  // It went on meanwhile, or its points are not stored yet. Not every step need have one.
  if (behind() && inVain < PATIENCE) setTimeout(follow, AGAIN);
}

draw();
// The fragment knows nothing of a table that was opened: it stays as the person left it.
let opened = false;
box.addEventListener("click", (event) => {
  const table = event.target.closest("#twin > summary")?.parentElement;
  if (table) opened = !table.open;
});
new MutationObserver(() => {
  const table = document.getElementById("twin");
  if (table && table.open !== opened) table.open = opened;
  follow();
}).observe(box, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-step", "open"] });
const repaint = () => charts.forEach((chart) => chart.redraw());
document.addEventListener("themechange", repaint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
