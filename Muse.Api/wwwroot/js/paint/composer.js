// The form: prompt and settings, within the limits of the model.

import { byId, h, s, setText } from "../dom.js";
import { many, tidySampler } from "../format.js";
import { randomPrompt } from "./examplePrompts.js";
import { startImage } from "./startImage.js";

/** The form field for each field of the API that an error may name. */
const fields = {
  prompt: "prompt", negative_prompt: "negative", size: "size", width: "size", height: "size", steps: "steps",
  image: "start-file", mask: "start-file", strength: "strength",
  guidance_scale: "guidance", n: "count", sampler: "sampler", scheduler: "sampler", seed: "seed",
};
const errorIds = {
  prompt: "prompt-error", negative: "negative_prompt-error", size: "size-error", steps: "steps-error",
  guidance: "guidance_scale-error", count: "n-error", sampler: "sampler-error", seed: "seed-error",
};

/** Used until a worker has reported the limits of its model. */
const unknownModel = {
  minSize: 64, maxSize: 1024, multiple: 8, width: null, height: null, steps: 25, maxSteps: 100, guidance: 5, samplers: [],
};

/** Starts the form. onSubmit(request) is called with each valid request. */
export function composer({ onSubmit }) {
  const form = byId("composer");
  const prompt = byId("prompt");
  const negative = byId("negative");
  const steps = byId("steps");
  const guidance = byId("guidance");
  const count = byId("count");
  const sampler = byId("sampler");
  const seed = byId("seed");
  const [width, height] = [byId("width"), byId("height")];
  let limits = unknownModel;
  // The result has the image's shape then.
  const start = startImage({ onChange: () => { byId("sizes").closest("fieldset").hidden = start.value() !== null; } });

  function useModel(model) {
    const chosen = limits === unknownModel ? null : size();
    limits = model ?? unknownModel;
    start.useModel(model);
    steps.max = limits.maxSteps;
    if (chosen === null) [steps.value, guidance.value] = [limits.steps, limits.guidance];
    for (const input of [width, height]) Object.assign(input, { min: limits.minSize, max: limits.maxSize, step: limits.multiple });
    [width.value, height.value] = [limits.width ?? "", limits.height ?? ""];
    const known = limits.samplers.includes(sampler.value) ? sampler.value : "";
    const defaultText = limits.samplers.length ? `${tidySampler(limits.samplers[0])} (default)` : "the model's own";
    sampler.replaceChildren(h("option", { value: "" }, defaultText),
      ...limits.samplers.slice(1).map(name => h("option", { value: name }, tidySampler(name))));
    sampler.value = known;
    drawSizes();
    if (chosen) setSize(chosen.width, chosen.height);
    summarise();
  }

  function presets() {
    if (limits.width === null) return [];
    const round = pixels => Math.min(limits.maxSize, Math.max(limits.minSize, Math.round(pixels / limits.multiple) * limits.multiple));
    const all = [[limits.width, limits.height], [round(limits.width * 1.5), limits.height], [limits.width, round(limits.height * 1.5)]];
    return all.filter(([w, ht], i) => all.findIndex(other => other[0] === w && other[1] === ht) === i);
  }

  function drawSizes() {
    const choice = (value, text, shape, checked) => h("label", { class: "choice" },
      h("input", { type: "radio", name: "size", value, checked, "aria-describedby": "size-error" }), h("span", {}, shape, text));
    const shape = (w, ht) => {
      const scale = 15 / Math.max(w, ht);
      const rectangle = { x: 9 - w * scale / 2, y: 9 - ht * scale / 2, width: w * scale, height: ht * scale, rx: 2 };
      return s("svg", { viewBox: "0 0 18 18", "aria-hidden": "true" }, s("rect", rectangle));
    };
    const sized = presets();
    const fixed = limits.minSize === limits.maxSize;
    byId("sizes").replaceChildren(
      ...(sized.length ? [] : [choice("auto", "The model's own", null, true)]),
      ...sized.map(([w, ht], i) => choice(`${w}x${ht}`, `${w} × ${ht}`, shape(w, ht), i === 0)),
      ...(fixed ? [] : [choice("custom", "Other", null, false)]));
    byId("custom-size").hidden = true;
  }

  const chosenSize = () => form.elements.size?.value ?? "auto";

  function size() {
    const value = chosenSize();
    if (value === "auto") return { width: null, height: null };
    if (value === "custom") return { width: Number(width.value), height: Number(height.value) };
    const [w, ht] = value.split("x").map(Number);
    return { width: w, height: ht };
  }

  function setSize(w, ht) {
    if (!w || !ht) return;
    const radios = [...form.querySelectorAll("input[name=size]")];
    const radio = radios.find(candidate => candidate.value === `${w}x${ht}`) ?? radios.find(candidate => candidate.value === "custom");
    if (!radio) return;
    radio.checked = true;
    [width.value, height.value] = [w, ht];
    byId("custom-size").hidden = radio.value !== "custom";
  }

  const fixedSeed = () => form.elements["seed-kind"].value === "fixed";

  function setSeed(value) {
    form.elements["seed-kind"].value = value === null ? "random" : "fixed";
    seed.disabled = value === null;
    if (value !== null) seed.value = value;
  }

  function summarise() {
    setText(byId("steps-value"), steps.value);
    setText(byId("guidance-value"), Number(guidance.value).toFixed(1));
    setText(byId("count-value"), count.value);
    const { width: w, height: ht } = size();
    const parts = [
      w ? `${w} × ${ht}` : null,
      many(steps.value, "step"),
      fixedSeed() && seed.value ? `seed ${seed.value}` : null,
      Number(count.value) > 1 ? `${count.value} images` : null,
    ];
    setText(byId("settings-summary"), parts.filter(Boolean).join(", "));
  }

  function showError(field, message) {
    const name = fields[field];
    if (!name) return false;
    if (["image", "mask", "strength"].includes(field)) {
      start.showError(message);
      return true;
    }
    const inputs = name === "size" ? form.querySelectorAll("input[name=size], #custom-size input") : [byId(name)];
    for (const input of inputs) input.setAttribute("aria-invalid", "true");
    byId(errorIds[name]).textContent = message;
    if (name !== "prompt") byId("settings").open = true;
    inputs[0]?.focus();
    return true;
  }

  function clearErrors() {
    for (const element of form.querySelectorAll("[aria-invalid]")) element.removeAttribute("aria-invalid");
    for (const element of form.querySelectorAll(".error")) element.textContent = "";
  }

  function submit() {
    clearErrors();
    if (!prompt.value.trim()) return showError("prompt", "Write what you would like to see, or let Muse surprise you.");
    const image = start.value();
    const { width: w, height: ht } = image ? { width: null, height: null } : size();
    if (w !== null && ![w, ht].every(side => side >= limits.minSize && side <= limits.maxSize && side % limits.multiple === 0))
      return showError("size", `Width and height are multiples of ${limits.multiple} from ${limits.minSize} to ${limits.maxSize} pixels.`);
    if (fixedSeed() && (!/^\d+$/.test(seed.value.trim()) || !Number.isSafeInteger(Number(seed.value))))
      return showError("seed", "A seed is a whole number, such as 42.");
    onSubmit({
      prompt: prompt.value,
      negative: negative.value.trim() ? negative.value : "",
      width: w,
      height: ht,
      steps: Number(steps.value),
      guidance: Number(guidance.value),
      count: Number(count.value),
      sampler: sampler.value || undefined,
      seed: fixedSeed() ? Number(seed.value) : null,
      start: image,
    });
  }

  form.addEventListener("submit", event => { event.preventDefault(); submit(); });
  form.addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); submit(); }
  });
  form.addEventListener("input", event => {
    if (event.target.name === "size") byId("custom-size").hidden = event.target.value !== "custom";
    if (event.target.name === "seed-kind") {
      seed.disabled = !fixedSeed();
      if (fixedSeed()) seed.focus();
    }
    clearErrors();
    summarise();
  });
  byId("random-prompt").addEventListener("click", () => {
    prompt.value = randomPrompt();
    clearErrors();
    submit();
  });
  // On a wide screen there is room for the settings; on a phone they would push the image away.
  byId("settings").open = matchMedia("(min-width: 861px)").matches;
  useModel(null);

  return {
    useModel,
    showError,
    focus: () => prompt.focus(),
    /** Fills the form with the settings of a job, and with a seed if one is given. */
    fill(job, seedValue = null) {
      clearErrors();
      prompt.value = job.prompt;
      negative.value = job.negative ?? "";
      if (job.steps) steps.value = job.steps;
      if (job.guidance != null) guidance.value = job.guidance;
      if (job.sampler && [...sampler.options].some(option => option.value === job.sampler)) sampler.value = job.sampler;
      count.value = seedValue === null ? job.count ?? 1 : 1;
      setSize(job.width, job.height);
      setSeed(seedValue);
      if (seedValue !== null) byId("settings").open = true;
      summarise();
      prompt.focus();
    },
    setPrompt(text) { prompt.value = text; },
    /** Takes an image to start from, and what it shows. */
    async startFrom(blob, text) {
      prompt.value = text;
      await start.load(blob);
      start.focus();
    },
    submit,
  };
}
