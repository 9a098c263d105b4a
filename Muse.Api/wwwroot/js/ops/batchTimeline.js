// The last minute of a worker's batch: a row for each place, a bar for each image from the step it joined to the step it left.

import { h } from "../dom.js";
import { colourOf } from "./jobColours.js";

/** What is shown, in milliseconds. */
const duration = 60_000;

/** A drawing of one worker's last minute. add() takes the batch as the worker reported it; draw() draws it as of now. */
export function batchTimeline(slots) {
  const canvas = h("canvas", { role: "img" });
  const element = h("figure", { class: "timeline" }, canvas,
    h("figcaption", { "aria-hidden": "true" }, h("span", {}, "a minute ago"), h("span", {}, "now")));
  const rows = Array.from({ length: slots }, () => []);

  return {
    element,
    add(batch, at) {
      const byPlace = new Map(batch.map(entry => [entry.place, entry]));
      rows.forEach((bars, place) => {
        const entry = byPlace.get(place);
        const last = bars.at(-1);
        const name = entry && `${entry.job}/${entry.index}`;
        if (last && !last.ended && last.name !== name) last.ended = true;
        if (!entry) return;
        if (last && last.name === name) { last.to = at; last.ended = false; }
        else bars.push({ name, colour: colourOf(entry.job), from: at, to: at, ended: false });
        while (bars.length && bars[0].to < at - duration - 5000) bars.shift();
      });
      const finished = rows.flat().filter(bar => bar.ended).length;
      canvas.setAttribute("aria-label", `The last minute: ${batch.length} of ${slots} places are taken, ${finished} images have ended.`);
    },
    draw(now, colours) {
      const ratio = devicePixelRatio || 1;
      const [width, height] = [canvas.clientWidth, canvas.clientHeight];
      if (!width) return;
      const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) [canvas.width, canvas.height] = [pixelWidth, pixelHeight];
      const context = canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      const row = height / slots;
      const thickness = Math.max(2, row - 3);
      rows.forEach((bars, place) => {
        const y = place * row + (row - thickness) / 2;
        context.fillStyle = colours.line;
        context.fillRect(0, y + thickness / 2 - 0.5, width, 1);
        for (const bar of bars) {
          const left = Math.max(0, (bar.from - now + duration) / duration * width);
          const right = Math.min(width, ((bar.ended ? bar.to : now) - now + duration) / duration * width);
          if (right <= 0) continue;
          context.fillStyle = colours.jobs[bar.colour];
          context.beginPath();
          context.roundRect(left, y, Math.max(3, right - left - 1.5), thickness, thickness / 2);
          context.fill();
        }
      });
    },
  };
}
