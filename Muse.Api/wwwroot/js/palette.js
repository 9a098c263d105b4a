// Muse's emblem: a palette with twelve dots, one for each place in a batch.

import { s } from "./dom.js";

/** A drawing of the palette, with some dots filled. */
export function palette() {
  const svg = s("svg", { class: "palette", viewBox: "0 0 240 80", "aria-hidden": "true" });
  for (let place = 0; place < 12; place++) {
    const [x, y] = [30 + place % 6 * 36, 22 + Math.floor(place / 6) * 36];
    svg.append(s("circle", { class: `dot-${place}`, cx: x, cy: y, r: 13 }));
  }
  return svg;
}
