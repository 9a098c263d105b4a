// One image in its frame: waiting, previews, finished, or a message.

import { h, icon } from "../dom.js";
import { show } from "../images.js";

/** An empty frame of this aspect ratio. */
export function frame(width, height) {
  const canvas = h("span", { class: "canvas" });
  canvas.style.display = "block";
  canvas.style.aspectRatio = `${width || 1} / ${height || 1}`;
  return h("span", { class: "frame" }, canvas);
}

/** Updates a frame from the state of its image. */
export function updateFrame(element, job, image) {
  const canvas = element.firstElementChild;
  element.style.display = "block";
  canvas.dataset.state = image.state;
  const done = image.steps ? image.step / image.steps : 0;
  canvas.style.setProperty("--done", done.toFixed(3));
  if (image.state === "succeeded" && image.path) {
    showOverlay(canvas, null);
    addLayer(canvas, image.path, "finished", altText(job, image));
  } else if (image.state === "running" && image.preview) {
    showOverlay(canvas, null);
    addLayer(canvas, image.preview, "preview", "");
  } else if (image.state === "failed") {
    showOverlay(canvas, "alert", "Not generated");
  } else if (image.state === "cancelled") {
    showOverlay(canvas, "close", "Cancelled");
  } else if (!canvas.querySelector("img")) {
    showOverlay(canvas, null);
  }
}

function altText(job, image) {
  const number = job.count > 1 ? ` (image ${image.index + 1} of ${job.count})` : "";
  return job.prompt.slice(0, 300) + number;
}

/** Adds an image on top of the last one. The older ones are removed after it has loaded, so that nothing flickers. */
function addLayer(canvas, path, kind, text) {
  if (canvas.dataset.shown === path) return;
  canvas.dataset.shown = path;
  const image = h("img", { class: kind, alt: text, decoding: "async", draggable: kind === "finished" ? null : "false" });
  const older = [...canvas.querySelectorAll("img")];
  image.addEventListener("load", () => {
    // The new image fades in; the old ones are removed when it is opaque.
    const remove = () => older.forEach(old => old.remove());
    image.addEventListener("animationend", remove, { once: true });
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) remove();
  }, { once: true });
  canvas.append(image);
  show(image, path, () => {
    // A preview may have been replaced already. A finished image that is missing has expired.
    image.remove();
    if (kind === "finished") showOverlay(canvas, "clock", "No longer kept");
  });
}

function showOverlay(canvas, symbol, text) {
  const old = canvas.querySelector(".overlay");
  if (!symbol) { old?.remove(); return; }
  if (old?.dataset.text === text) return;
  old?.remove();
  canvas.querySelectorAll("img.preview").forEach(image => image.remove());
  canvas.append(h("span", { class: "overlay", "data-text": text }, icon(symbol), h("span", {}, text)));
}
