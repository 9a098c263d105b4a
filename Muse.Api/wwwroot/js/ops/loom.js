// The last minute of a batch, woven: a row for each place, a thread for each picture from the step it joined to the step it left.

import { h } from "../dom.js";
import { pigment } from "./pigments.js";

const span = 60_000;

/** A drawing of one worker's last minute. add() takes what the worker said; draw() paints it as of now. */
export function loom(slots) {
  const canvas = h("canvas", { role: "img" });
  const element = h("figure", { class: "loom" }, canvas, h("figcaption", { "aria-hidden": "true" }, h("span", {}, "a minute ago"), h("span", {}, "now")));
  const rows = Array.from({ length: slots }, () => []);

  return {
    element,
    add(batch, at) {
      const taken = new Map(batch.map(seat => [seat.place, seat]));
      rows.forEach((threads, place) => {
        const seat = taken.get(place);
        const last = threads.at(-1);
        const name = seat && `${seat.job}/${seat.index}`;
        if (last && !last.ended && last.name !== name) last.ended = true;
        if (!seat) return;
        if (last && last.name === name) { last.to = at; last.ended = false; }
        else threads.push({ name, pigment: pigment(seat.job), from: at, to: at, ended: false });
        while (threads.length && threads[0].to < at - span - 5000) threads.shift();
      });
      const finished = rows.flat().filter(thread => thread.ended).length;
      canvas.setAttribute("aria-label", `The last minute: ${batch.length} of ${slots} places taken now, ${finished} pictures have left.`);
    },
    draw(now, colours) {
      const ratio = devicePixelRatio || 1;
      const [width, height] = [canvas.clientWidth, canvas.clientHeight];
      if (!width) return;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
      const pen = canvas.getContext("2d");
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, width, height);
      const row = height / slots;
      const thick = Math.max(2, row - 3);
      rows.forEach((threads, place) => {
        const y = place * row + (row - thick) / 2;
        pen.fillStyle = colours.rail;
        pen.fillRect(0, y + thick / 2 - 0.5, width, 1);
        for (const thread of threads) {
          const left = Math.max(0, (thread.from - now + span) / span * width);
          const right = Math.min(width, ((thread.ended ? thread.to : now) - now + span) / span * width);
          if (right <= 0) continue;
          pen.fillStyle = colours.pigments[thread.pigment];
          pen.beginPath();
          pen.roundRect(left, y, Math.max(3, right - left - 1.5), thick, thick / 2);
          pen.fill();
        }
      });
    },
  };
}
