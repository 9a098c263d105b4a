// The jobs API: https paths and JSON in, plain objects out. The only file that knows the API's field names.

import { getJson, patientJson, request } from "./http.js";
import { listen } from "./events.js";

const final = new Set(["succeeded", "failed", "cancelled"]);

/** Whether a job or picture will not change again. */
export const isFinal = thing => final.has(thing.state);

/** What the model can do, or null while no worker has said so. */
export async function model(signal) {
  const list = await getJson("v1/models", { signal });
  const served = list.data[0];
  return served?.capabilities ? readCard(served.id, served.capabilities) : null;
}

/** Asks for pictures; waits where the server asks for patience. The key makes a second try the same job. */
export async function paint(wish, { signal, onWaiting }) {
  const body = {
    prompt: wish.prompt,
    negative_prompt: wish.negative || undefined,
    size: wish.width ? `${wish.width}x${wish.height}` : undefined,
    steps: wish.steps,
    guidance_scale: wish.guidance,
    scheduler: wish.sampler,
    seed: wish.seed ?? undefined,
    n: wish.count,
    previews: 12,
  };
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  return readJob(await patientJson("v1/generations", { method: "POST", body, headers, signal }, onWaiting));
}

/** The job as it stands. */
export const find = async id => readJob(await getJson(`v1/generations/${encodeURIComponent(id)}`));

/** One's own jobs, newest first. */
export async function list(cursor) {
  const query = new URLSearchParams({ limit: "24", ...(cursor ? { cursor } : {}) });
  const page = await getJson(`v1/generations?${query}`);
  return { jobs: page.data.map(readJob), next: page.next_cursor ?? null };
}

/** Cancels what is not finished yet. */
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
  };
}

function readJob(json) {
  const asked = json.request;
  const [width, height] = asked.size === "auto" ? [null, null] : asked.size.split("x").map(Number);
  return {
    id: json.id,
    state: json.state,
    created: new Date(json.created_at),
    prompt: asked.prompt,
    negative: asked.negative_prompt ?? "",
    width,
    height,
    steps: asked.steps ?? null,
    guidance: asked.guidance_scale ?? null,
    sampler: asked.scheduler ?? null,
    seed: asked.seed,
    count: asked.n,
    format: asked.output_format,
    ahead: json.position?.ahead ?? null,
    wait: json.position?.estimated_wait_seconds ?? null,
    pictures: json.images.map(picture => ({
      index: picture.index,
      state: picture.state,
      seed: picture.seed,
      step: picture.step,
      steps: picture.steps,
      /** For the owner. */
      path: picture.image_url ?? null,
      /** For whoever has it. */
      link: picture.url ?? null,
      preview: picture.preview_url ?? null,
      waited: picture.waited_seconds ?? null,
      painted: picture.painted_seconds ?? null,
      cutOff: picture.prompt_cut_off ?? null,
      flagged: picture.flagged ?? false,
      error: picture.error ?? null,
    })),
  };
}
