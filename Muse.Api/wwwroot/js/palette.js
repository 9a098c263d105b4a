// The palette: twelve wells, as many as places in a batch. Muse's emblem.

import { s } from "./dom.js";

/** A drawing of the palette, with some wells full of paint. */
export function palette() {
  const svg = s("svg", { class: "palette", viewBox: "0 0 240 80", "aria-hidden": "true" });
  for (let place = 0; place < 12; place++) {
    const [x, y] = [30 + place % 6 * 36, 22 + Math.floor(place / 6) * 36];
    svg.append(s("circle", { class: `well-${place}`, cx: x, cy: y, r: 13 }));
  }
  return svg;
}
