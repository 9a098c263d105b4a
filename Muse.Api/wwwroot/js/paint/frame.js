// One picture in its frame: waiting, sharpening step by step, painted, or why not.

import { h, icon } from "../dom.js";
import { show } from "../pictures.js";

/** An empty frame for a picture of this shape. */
export function frame(width, height) {
  const canvas = h("span", { class: "canvas" });
  canvas.style.display = "block";
  canvas.style.aspectRatio = `${width || 1} / ${height || 1}`;
  return h("span", { class: "frame" }, canvas);
}

/** Brings a frame up to date with its picture. */
export function updateFrame(element, job, picture) {
  const canvas = element.firstElementChild;
  element.style.display = "block";
  canvas.dataset.state = picture.state;
  const done = picture.steps ? picture.step / picture.steps : 0;
  canvas.style.setProperty("--done", done.toFixed(3));
  if (picture.state === "succeeded" && picture.path) {
    veil(canvas, null);
    layer(canvas, picture.path, "painted", describe(job, picture));
  } else if (picture.state === "running" && picture.preview) {
    veil(canvas, null);
    layer(canvas, picture.preview, "preview", "");
  } else if (picture.state === "failed") {
    veil(canvas, "alert", "Not painted");
  } else if (picture.state === "cancelled") {
    veil(canvas, "close", "Cancelled");
  } else if (!canvas.querySelector("img")) {
    veil(canvas, null);
  }
}

const describe = (job, picture) => `${job.prompt.slice(0, 300)}${job.count > 1 ? ` (picture ${picture.index + 1} of ${job.count})` : ""}`;

/** Lays a new image over the last one; the older ones go when it has loaded, so nothing flickers. */
function layer(canvas, path, kind, text) {
  if (canvas.dataset.shown === path) return;
  canvas.dataset.shown = path;
  const image = h("img", { class: kind, alt: text, decoding: "async", draggable: kind === "painted" ? null : "false" });
  const older = [...canvas.querySelectorAll("img")];
  image.addEventListener("load", () => {
    // The new one fades in over the old ones, which can go when it is opaque.
    const remove = () => older.forEach(old => old.remove());
    image.addEventListener("animationend", remove, { once: true });
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) remove();
  }, { once: true });
  canvas.append(image);
  show(image, path, () => {
    // A preview that is already replaced is no loss; a picture that is gone has to be said.
    image.remove();
    if (kind === "painted") veil(canvas, "clock", "No longer kept");
  });
}

function veil(canvas, symbol, text) {
  const old = canvas.querySelector(".veil");
  if (!symbol) { old?.remove(); return; }
  if (old?.dataset.text === text) return;
  old?.remove();
  canvas.querySelectorAll("img.preview").forEach(image => image.remove());
  canvas.append(h("span", { class: "veil", "data-text": text }, icon(symbol), h("span", {}, text)));
}
