// The last hour in four charts. They are drawn by uPlot; where its script has not loaded, the figures stand there alone.

import { byId, h, setText } from "../dom.js";
import { duration, figure } from "../format.js";

const span = 3600;

/** A server that has just started is shown closer, but never so close that a moment fills the chart. Seconds. */
const leastSpan = 180;

const kinds = [
  { title: "Waiting", series: [{ field: "waiting", name: "pictures", pigment: 1, fill: true }], say: figure, whole: true },
  { title: "Pictures a second", series: [{ field: "rate", name: "painted", pigment: 3, fill: true }], say: figure },
  { title: "Waiting time", series: [{ field: "p95", name: "p95", pigment: 0 }, { field: "p50", name: "p50", pigment: 2 }], say: duration },
  { title: "Workers", series: [{ field: "workers", name: "up", pigment: 7, fill: true, stepped: true }, { field: "wanted", name: "wanted", pigment: 8, stepped: true }], say: figure, whole: true },
];

/** Draws into #charts. show(points) takes all points of the last hour, oldest first. */
export function charts() {
  const charts = kinds.map(kind => {
    const summary = h("p", { class: "figures-only" });
    const plot = h("div", { class: "plot", "aria-hidden": "true" });
    const keys = kind.series.map(series => {
      const key = h("span", { class: "key" }, series.name);
      key.style.setProperty("--key", `var(--p${series.pigment})`);
      return key;
    });
    const element = h("figure", { class: "chart" }, h("figcaption", {}, h("strong", {}, kind.title), keys), plot, summary);
    return { kind, plot, summary, element, chart: null };
  });
  byId("charts").replaceChildren(...charts.map(chart => chart.element));
  const available = typeof globalThis.uPlot === "function";
  if (!available) {
    setText(byId("charts-note"), "The charts' script could not be loaded; here are the figures.");
    for (const { plot } of charts) plot.remove();
  }
  let points = [];

  function draw() {
    for (const entry of charts) {
      setText(entry.summary, summarise(entry.kind, points));
      entry.summary.classList.toggle("hidden", available);
      if (available && points.length) plotInto(entry);
    }
  }

  function plotInto(entry) {
    const width = entry.plot.clientWidth;
    if (!width) return;
    const data = [points.map(point => point.at / 1000), ...entry.kind.series.map(series => points.map(point => point[series.field] ?? null))];
    if (!entry.chart) {
      entry.plot.replaceChildren();
      entry.chart = new globalThis.uPlot(options(entry.kind, width), data, entry.plot);
    } else {
      if (entry.chart.width !== width) entry.chart.setSize({ width, height: 170 });
      entry.chart.setData(data);
    }
  }

  const restyle = () => {
    for (const entry of charts) { entry.chart?.destroy(); entry.chart = null; }
    draw();
  };
  document.documentElement.addEventListener("themechange", restyle);
  new ResizeObserver(draw).observe(byId("charts"));

  return { show(all) { points = all; draw(); } };
}

function summarise(kind, points) {
  if (!points.length) return "Nothing measured yet.";
  return kind.series.map(({ field, name }) => {
    const values = points.map(point => point[field]).filter(value => value != null);
    if (!values.length) return `${name}: not measured`;
    return `${name}: now ${kind.say(values.at(-1))}, at most ${kind.say(Math.max(...values))}, at least ${kind.say(Math.min(...values))}`;
  }).join("; ");
}

function options(kind, width) {
  const style = getComputedStyle(document.body);
  const probe = h("span", { hidden: true });
  document.body.append(probe);
  const colour = name => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
  const [soft, line] = [colour("--soft"), colour("--line")];
  const font = `12px ${style.fontFamily}`;
  const uPlot = globalThis.uPlot;
  const result = {
    width,
    height: 170,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 6, 0, 0],
    scales: { x: { range: (_, min, max) => [Math.max(max - span, Math.min(min, max - leastSpan)), max] }, y: { range: (_, min, max) => [0, Math.max(1, max * 1.12)] } },
    axes: [
      { stroke: soft, font, grid: { show: false }, ticks: { show: false }, size: 26, space: 70, incrs: [60, 120, 300, 600, 900, 1800], values: (_, ticks) => ticks.map(tick => new Date(tick * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })) },
      { stroke: soft, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 44, space: 34, incrs: kind.whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] : undefined, values: (_, ticks) => ticks.map(tick => kind.say === duration ? `${tick} s` : String(tick)) },
    ],
    series: [{}, ...kind.series.map(series => {
      const stroke = colour(`--p${series.pigment}`);
      return {
        stroke,
        width: 2,
        points: { show: false },
        spanGaps: false,
        fill: series.fill ? stroke.replace("rgb(", "rgba(").replace(")", ", 0.13)") : undefined,
        paths: series.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
      };
    })],
  };
  probe.remove();
  return result;
}
