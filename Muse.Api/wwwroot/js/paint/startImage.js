// The image to start from: chosen, dropped, pasted or taken from the gallery, and the mask that is drawn over it.

import { byId, setText } from "../dom.js";

/** Larger images are made smaller before they are sent; no model here works on more. */
const longestSide = 1536;
const strokeColour = "#ff2bd6";
const words = [[0.25, "a touch"], [0.45, "some"], [0.65, "much"], [0.85, "most of it"], [1, "all of it"]];

/** Starts the editor. `onChange()` is called when an image came or went. */
export function startImage({ onChange }) {
  const section = byId("start");
  const [image, mask] = [byId("start-image"), byId("start-mask")];
  const [brush, strength, file] = [byId("brush"), byId("strength"), byId("start-file")];
  let model = null;
  let loaded = false;
  let strengthTouched = false;
  /** Each stroke: its points, in pixels of the image, and the width of the brush. */
  let strokes = [];
  let drawing = null;
  let cursor = null;

  const brushWidth = () => Number(brush.value) / 100 * Math.max(mask.width, mask.height);

  function drawMask() {
    const context = mask.getContext("2d");
    context.clearRect(0, 0, mask.width, mask.height);
    drawStrokes(context, strokeColour);
    if (cursor) {
      context.lineWidth = Math.max(1, mask.width / 200);
      context.strokeStyle = "#fff";
      context.beginPath();
      context.arc(cursor.x, cursor.y, brushWidth() / 2, 0, 2 * Math.PI);
      context.stroke();
      context.strokeStyle = "#000";
      context.setLineDash([4, 4]);
      context.stroke();
      context.setLineDash([]);
    }
  }

  function drawStrokes(context, colour) {
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = colour;
    for (const stroke of strokes) {
      context.lineWidth = stroke.width;
      context.beginPath();
      const [first, ...rest] = stroke.points;
      context.moveTo(first.x, first.y);
      for (const point of rest.length ? rest : [{ x: first.x + 0.01, y: first.y }]) context.lineTo(point.x, point.y);
      context.stroke();
    }
  }

  /** Opaque black, transparent where a stroke is, as OpenAI's masks are. */
  function maskUrl() {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [mask.width, mask.height];
    const context = canvas.getContext("2d");
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = "destination-out";
    drawStrokes(context, "#000");
    return canvas.toDataURL("image/png");
  }

  function updateStrength() {
    if (!strengthTouched && model) strength.value = strokes.length ? model.maskedStrength : model.strength;
    setText(byId("strength-value"), words.find(([most]) => Number(strength.value) <= most + 0.001)[1]);
  }

  function changed() {
    drawMask();
    updateStrength();
    byId("start-undo").disabled = strokes.length === 0;
  }

  async function load(blob) {
    setText(byId("image-error"), "");
    let bitmap;
    try {
      bitmap = await createImageBitmap(blob);
    } catch {
      setText(byId("image-error"), "This file is not an image that can be shown. Choose a PNG, JPEG or WebP file.");
      return;
    }
    const scale = Math.min(1, longestSide / Math.max(bitmap.width, bitmap.height));
    for (const canvas of [image, mask]) {
      canvas.width = Math.max(1, Math.round(bitmap.width * scale));
      canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    }
    image.getContext("2d").drawImage(bitmap, 0, 0, image.width, image.height);
    bitmap.close();
    [loaded, strokes, cursor, strengthTouched] = [true, [], null, false];
    byId("start-editor").hidden = false;
    byId("start-choose").hidden = true;
    changed();
    onChange();
  }

  function remove() {
    [loaded, strokes, cursor] = [false, [], null];
    file.value = "";
    byId("start-editor").hidden = true;
    byId("start-choose").hidden = false;
    setText(byId("image-error"), "");
    onChange();
  }

  function pointOf(event) {
    const box = mask.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width * mask.width, y: (event.clientY - box.top) / box.height * mask.height };
  }

  mask.addEventListener("pointerdown", event => {
    event.preventDefault();
    mask.focus({ preventScroll: true });
    mask.setPointerCapture(event.pointerId);
    cursor = null;
    drawing = { width: brushWidth(), points: [pointOf(event)] };
    strokes.push(drawing);
    changed();
  });
  mask.addEventListener("pointermove", event => {
    if (!drawing) return;
    drawing.points.push(pointOf(event));
    drawMask();
  });
  for (const end of ["pointerup", "pointercancel"]) mask.addEventListener(end, () => { drawing = null; });

  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  mask.addEventListener("keydown", event => {
    const move = moves[event.key];
    if (!move && event.key !== " " && event.key !== "Backspace") return;
    event.preventDefault();
    if (event.key === "Backspace") return undo();
    cursor ??= { x: mask.width / 2, y: mask.height / 2 };
    if (move) {
      const step = brushWidth() / 2;
      cursor = {
        x: Math.min(mask.width, Math.max(0, cursor.x + move[0] * step)),
        y: Math.min(mask.height, Math.max(0, cursor.y + move[1] * step)),
      };
      return drawMask();
    }
    strokes.push({ width: brushWidth(), points: [{ ...cursor }] });
    changed();
  });
  mask.addEventListener("blur", () => { cursor = null; drawMask(); });

  function undo() {
    strokes.pop();
    changed();
  }

  byId("start-undo").addEventListener("click", undo);
  byId("start-remove").addEventListener("click", () => { remove(); byId("prompt").focus(); });
  strength.addEventListener("input", () => { strengthTouched = true; updateStrength(); });
  byId("start-open").addEventListener("click", () => file.click());
  file.addEventListener("change", () => { if (file.files[0]) load(file.files[0]); });
  document.addEventListener("paste", event => {
    const pasted = [...event.clipboardData?.files ?? []].find(each => each.type.startsWith("image/"));
    if (!pasted || section.hidden) return;
    event.preventDefault();
    load(pasted);
  });
  const composer = byId("composer");
  composer.addEventListener("dragover", event => {
    if (section.hidden || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    composer.classList.add("dropping");
  });
  composer.addEventListener("dragleave", () => composer.classList.remove("dropping"));
  composer.addEventListener("drop", event => {
    composer.classList.remove("dropping");
    const dropped = [...event.dataTransfer?.files ?? []].find(each => each.type.startsWith("image/"));
    if (!dropped || section.hidden) return;
    event.preventDefault();
    load(dropped);
  });

  return {
    /** The model's card, or null: the editor is there only for models that take images. */
    useModel(card) {
      model = card;
      section.hidden = !card?.takesImages;
      updateStrength();
    },
    load,
    /** What is sent: data URLs of the image and of the mask, if a stroke was drawn, and the strength. Null without an image. */
    value() {
      if (!loaded) return null;
      return { image: image.toDataURL("image/png"), mask: strokes.length ? maskUrl() : undefined, strength: Number(strength.value) };
    },
    showError(message) { setText(byId("image-error"), message); },
    /** Shows the editor. */
    focus() {
      byId("start-editor").scrollIntoView({ block: "nearest", behavior: "smooth" });
      mask.focus({ preventScroll: true });
    },
  };
}
