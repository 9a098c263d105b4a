// The workers and their batches: who sits in which place, at which step.

import { byId, h, keyed, s, setText } from "../dom.js";
import { ago, count, figure } from "../format.js";
import { loom } from "./loom.js";
import { pigment } from "./pigments.js";

const circumference = 2 * Math.PI * 44;

/** Draws into #workers. */
export function workers() {
  const list = byId("workers");
  const looms = new Map();

  let colours = readColours();
  document.documentElement.addEventListener("themechange", () => { colours = readColours(); });
  const frame = () => {
    for (const weave of looms.values()) weave.draw(Date.now(), colours);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);

  return {
    show(all) {
      if (all.length) list.querySelector(".nobody")?.remove();
      for (const name of looms.keys()) if (!all.some(worker => worker.name === name)) looms.delete(name);
      keyed(list, [...all].sort((a, b) => a.started - b.started || a.name.localeCompare(b.name)), worker => worker.name, make, update);
      if (!all.length && !list.children.length) list.append(h("li", { class: "nobody" }, "No worker is up. The next request wakes one, if something may start workers."));
    },
  };

  function make(worker) {
    const weave = loom(worker.slots);
    looms.set(worker.name, weave);
    return h("li", { class: "worker" },
      h("header", {},
        h("h3", {}, worker.instance ?? worker.name),
        h("span", { class: "pill" }),
        h("span", { class: "pill simulated", hidden: !/simulat/i.test(worker.device) }, "simulated"),
        h("div", { class: "row" }, h("span", { class: "device" }, worker.device), h("span", { class: "tally" }))),
      h("div", { class: "batch" },
        h("ol", { class: "wells", "aria-label": "Places in the batch" }, Array.from({ length: worker.slots }, (_, place) => well(place))),
        weave.element));
  }

  function well(place) {
    return h("li", { class: "well" },
      s("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" },
        s("circle", { class: "hollow", cx: 50, cy: 50, r: 44 }), s("circle", { class: "ring", cx: 50, cy: 50, r: 44 }), s("circle", { class: "paint", cx: 50, cy: 50, r: 35 })),
      h("span", { class: "at", "aria-hidden": "true" }, String(place + 1)),
      h("span", { class: "hidden" }, `place ${place + 1}: free`));
  }

  function update(element, worker) {
    const [pill] = element.querySelectorAll(".pill");
    pill.dataset.state = worker.state;
    setText(pill, worker.state);
    setText(element.querySelector(".tally"), `${figure(worker.rate)} pictures/s, ${count(worker.painted)} painted, up since ${ago(worker.started).replace(" ago", "")}`);
    const taken = new Map(worker.batch.map(seat => [seat.place, seat]));
    [...element.querySelectorAll(".well")].forEach((item, place) => {
      const seat = taken.get(place);
      const [, at, spoken] = item.children;
      item.classList.toggle("taken", Boolean(seat));
      const done = seat ? seat.step / Math.max(1, seat.steps) : 0;
      item.querySelector(".ring").style.strokeDasharray = seat ? `${(done * circumference).toFixed(1)} 1000` : "0 1000";
      if (seat) {
        item.style.setProperty("--pigment", `var(--p${pigment(seat.job)})`);
        setText(at, String(seat.step));
        setText(spoken, `place ${place + 1}: picture ${seat.index + 1} of job ${seat.job.slice(0, 8)}, step ${seat.step} of ${seat.steps}`);
        item.title = `Picture ${seat.index + 1} of job ${seat.job.slice(0, 12)}, step ${seat.step} of ${seat.steps}`;
      } else {
        setText(at, String(place + 1));
        setText(spoken, `place ${place + 1}: free`);
        item.title = `Place ${place + 1} is free`;
      }
    });
    looms.get(worker.name)?.add(worker.batch, Date.now());
  }
}

/** Colours as the canvas needs them: light-dark() resolved. */
function readColours() {
  const probe = h("span", { hidden: true });
  document.body.append(probe);
  const read = name => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
  const colours = { rail: read("--line"), pigments: Array.from({ length: 12 }, (_, i) => read(`--p${i}`)) };
  probe.remove();
  return colours;
}
