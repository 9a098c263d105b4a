// The workers and their batches: which image has which place, and its step.

import { byId, h, keyed, s, setText } from "../dom.js";
import { ago, count, figure } from "../format.js";
import { batchTimeline } from "./batchTimeline.js";
import { colourOf } from "./jobColours.js";

const circumference = 2 * Math.PI * 44;

/** Draws into #workers. */
export function workers() {
  const list = byId("workers");
  const timelines = new Map();

  let colours = readColours();
  document.documentElement.addEventListener("themechange", () => { colours = readColours(); });
  const frame = () => {
    for (const timeline of timelines.values()) timeline.draw(Date.now(), colours);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);

  return {
    show(all) {
      if (all.length) list.querySelector(".no-workers")?.remove();
      for (const name of timelines.keys()) if (!all.some(worker => worker.name === name)) timelines.delete(name);
      keyed(list, [...all].sort((a, b) => a.started - b.started || a.name.localeCompare(b.name)), worker => worker.name, make, update);
      if (!all.length && !list.children.length) {
        list.append(h("li", { class: "no-workers" }, "No worker is up. The next request wakes one, if something may start workers."));
      }
    },
  };

  function make(worker) {
    const timeline = batchTimeline(worker.slots);
    timelines.set(worker.name, timeline);
    return h("li", { class: "worker" },
      h("header", {},
        h("h3", {}, worker.instance ?? worker.name),
        h("span", { class: "pill" }),
        h("span", { class: "pill simulated", hidden: !/simulat/i.test(worker.device) }, "simulated"),
        h("div", { class: "row" }, h("span", { class: "device" }, worker.device), h("span", { class: "tally" }))),
      h("div", { class: "batch" },
        h("ol", { class: "slots", "aria-label": "Places in the batch" }, Array.from({ length: worker.slots }, (_, place) => slot(place))),
        timeline.element));
  }

  function slot(place) {
    return h("li", { class: "slot" },
      s("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" },
        s("circle", { class: "outline", cx: 50, cy: 50, r: 44 }),
        s("circle", { class: "ring", cx: 50, cy: 50, r: 44 }),
        s("circle", { class: "fill", cx: 50, cy: 50, r: 35 })),
      h("span", { class: "step", "aria-hidden": "true" }, String(place + 1)),
      h("span", { class: "hidden" }, `place ${place + 1}: free`));
  }

  function update(element, worker) {
    const [pill] = element.querySelectorAll(".pill");
    pill.dataset.state = worker.state;
    setText(pill, worker.state);
    const since = ago(worker.started).replace(" ago", "");
    setText(element.querySelector(".tally"), `${figure(worker.rate)} images/s, ${count(worker.completed)} completed, up since ${since}`);
    const byPlace = new Map(worker.batch.map(entry => [entry.place, entry]));
    [...element.querySelectorAll(".slot")].forEach((item, place) => {
      const entry = byPlace.get(place);
      const [, step, spoken] = item.children;
      item.classList.toggle("taken", Boolean(entry));
      const done = entry ? entry.step / Math.max(1, entry.steps) : 0;
      item.querySelector(".ring").style.strokeDasharray = entry ? `${(done * circumference).toFixed(1)} 1000` : "0 1000";
      if (entry) {
        const [number, progress] = [entry.index + 1, `step ${entry.step} of ${entry.steps}`];
        item.style.setProperty("--job-colour", `var(--p${colourOf(entry.job)})`);
        setText(step, String(entry.step));
        setText(spoken, `place ${place + 1}: image ${number} of job ${entry.job.slice(0, 8)}, ${progress}`);
        item.title = `Image ${number} of job ${entry.job.slice(0, 12)}, ${progress}`;
      } else {
        setText(step, String(place + 1));
        setText(spoken, `place ${place + 1}: free`);
        item.title = `Place ${place + 1} is free`;
      }
    });
    timelines.get(worker.name)?.add(worker.batch, Date.now());
  }
}

/** Colours as the canvas needs them: light-dark() resolved. */
function readColours() {
  const probe = h("span", { hidden: true });
  document.body.append(probe);
  const read = name => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
  const colours = { line: read("--line"), jobs: Array.from({ length: 12 }, (_, i) => read(`--p${i}`)) };
  probe.remove();
  return colours;
}
