// The last hour in four charts, drawn by uPlot. If its script has not loaded, the figures are shown as text.

import { byId, h, setText } from "../dom.js";
import { duration, figure } from "../format.js";

/** What is shown, in seconds. */
const span = 3600;

/** The shortest span, in seconds: a server that has just started has little to show. */
const leastSpan = 180;

const kinds = [
  { title: "Waiting", series: [{ field: "waiting", name: "images", colour: 1, fill: true }], format: figure, whole: true },
  { title: "Images a second", series: [{ field: "rate", name: "completed", colour: 3, fill: true }], format: figure },
  { title: "Waiting time", series: [{ field: "p95", name: "p95", colour: 0 }, { field: "p50", name: "p50", colour: 2 }], format: duration },
  {
    title: "Workers",
    series: [
      { field: "workers", name: "up", colour: 7, fill: true, stepped: true },
      { field: "wanted", name: "wanted", colour: 8, stepped: true },
    ],
    format: figure,
    whole: true,
  },
];

/** Draws into #charts. show(points) takes all points of the last hour, oldest first. */
export function charts() {
  const charts = kinds.map(kind => {
    const summary = h("p", { class: "figures-only" });
    const plot = h("div", { class: "plot", "aria-hidden": "true" });
    const keys = kind.series.map(series => {
      const key = h("span", { class: "key" }, series.name);
      key.style.setProperty("--key", `var(--p${series.colour})`);
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
    const values = entry.kind.series.map(series => points.map(point => point[series.field] ?? null));
    const data = [points.map(point => point.at / 1000), ...values];
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
    const [now, most, least] = [values.at(-1), Math.max(...values), Math.min(...values)].map(kind.format);
    return `${name}: now ${now}, at most ${most}, at least ${least}`;
  }).join("; ");
}

const hourAndMinute = tick => new Date(tick * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

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
    scales: {
      x: { range: (_, min, max) => [Math.max(max - span, Math.min(min, max - leastSpan)), max] },
      y: { range: (_, min, max) => [0, Math.max(1, max * 1.12)] },
    },
    axes: [
      {
        stroke: soft,
        font,
        grid: { show: false },
        ticks: { show: false },
        size: 26,
        space: 70,
        incrs: [60, 120, 300, 600, 900, 1800],
        values: (_, ticks) => ticks.map(hourAndMinute),
      },
      {
        stroke: soft,
        font,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        size: 44,
        space: 34,
        incrs: kind.whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] : undefined,
        values: (_, ticks) => ticks.map(tick => kind.format === duration ? `${tick} s` : String(tick)),
      },
    ],
    series: [{}, ...kind.series.map(series => {
      const stroke = colour(`--p${series.colour}`);
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
