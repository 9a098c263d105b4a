// The jobs API: calls it and turns its JSON into plain objects. Only this file and operations.js know the API's field names.

import { getJson, getJsonWithRetries, request } from "./http.js";
import { listen } from "./events.js";

const final = new Set(["succeeded", "failed", "cancelled"]);

/** Whether a job or image will not change again. */
export const isFinal = thing => final.has(thing.state);

/** What the model can do, or null while no worker has said so. */
export async function model(signal) {
  const list = await getJson("v1/models", { signal });
  const served = list.data[0];
  return served?.capabilities ? readCard(served.id, served.capabilities) : null;
}

/** Submits a request, with retries as the server asks for them. The idempotency key makes each retry the same job. */
export async function submit(fields, { signal, onWaiting }) {
  const body = {
    prompt: fields.prompt,
    negative_prompt: fields.negative || undefined,
    size: fields.width ? `${fields.width}x${fields.height}` : undefined,
    steps: fields.steps,
    guidance_scale: fields.guidance,
    scheduler: fields.sampler,
    seed: fields.seed ?? undefined,
    n: fields.count,
    previews: 12,
    image: fields.start?.image,
    mask: fields.start?.mask,
    strength: fields.start?.strength,
  };
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  return readJob(await getJsonWithRetries("v1/generations", { method: "POST", body, headers, signal }, onWaiting));
}

/** The job's current state. */
export const find = async id => readJob(await getJson(`v1/generations/${encodeURIComponent(id)}`));

/** The caller's jobs, newest first. */
export async function list(cursor) {
  const query = new URLSearchParams({ limit: "24", ...(cursor ? { cursor } : {}) });
  const page = await getJson(`v1/generations?${query}`);
  return { jobs: page.data.map(readJob), next: page.next_cursor ?? null };
}

/** Cancels the images that are not finished. */
export const cancel = id => request(`v1/generations/${encodeURIComponent(id)}`, { method: "DELETE" });

/** Follows a job to its end; onJob gets it after each change. */
export const follow = (id, { signal, onJob, onDown }) =>
  listen(`v1/generations/${encodeURIComponent(id)}/events`, {
    signal,
    onDown,
    onEvent(event) {
      const job = readJob(JSON.parse(event.data));
      onJob(job);
      return isFinal(job);
    },
  });

function readCard(name, card) {
  const [width, height] = card.default_size.split("x").map(Number);
  return {
    name,
    minSize: card.min_size,
    maxSize: card.max_size,
    multiple: card.size_multiple,
    width,
    height,
    steps: card.default_steps,
    maxSteps: card.max_steps,
    guidance: card.default_guidance_scale,
    samplers: card.schedulers,
    takesImages: card.image_input ?? false,
    strength: card.default_strength,
    maskedStrength: card.default_masked_strength,
  };
}

function readJob(json) {
  const requested = json.request;
  const [width, height] = requested.size === "auto" ? [null, null] : requested.size.split("x").map(Number);
  return {
    id: json.id,
    state: json.state,
    created: new Date(json.created_at),
    prompt: requested.prompt,
    negative: requested.negative_prompt ?? "",
    width,
    height,
    steps: requested.steps ?? null,
    guidance: requested.guidance_scale ?? null,
    sampler: requested.scheduler ?? null,
    seed: requested.seed,
    count: requested.n,
    format: requested.output_format,
    ahead: json.position?.ahead ?? null,
    wait: json.position?.estimated_wait_seconds ?? null,
    images: json.images.map(image => ({
      index: image.index,
      state: image.state,
      seed: image.seed,
      step: image.step,
      steps: image.steps,
      /** Needs the caller's key. */
      path: image.image_url ?? null,
      /** Signed: works without a key. */
      link: image.url ?? null,
      preview: image.preview_url ?? null,
      waitedSeconds: image.waited_seconds ?? null,
      generationSeconds: image.painted_seconds ?? null,
      cutOff: image.prompt_cut_off ?? null,
      flagged: image.flagged ?? false,
      error: image.error ?? null,
    })),
  };
}
