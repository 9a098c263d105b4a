// The operators' API: calls it and turns its JSON into plain objects. Only this file and jobs.js know the API's field names.

import { request } from "./http.js";
import { listen } from "./events.js";

/** Listens to the event stream: onHistory(points) once at the start, onNow(now) with each measurement. */
export const watch = ({ signal, onHistory, onNow, onDown }) => listen("v1/ops/stream", {
  signal,
  onDown,
  onEvent(event) {
    const data = JSON.parse(event.data);
    if (event.type === "history") onHistory(data.map(readPoint));
    else onNow(readNow(data));
  },
});

/** Puts the image of a dead letter back into the queue. */
export const requeue = id => request(`v1/ops/dead-letters/${encodeURIComponent(id)}/requeue`, { method: "POST" });

const readPoint = json => ({
  at: new Date(json.at),
  waiting: json.waiting,
  rate: json.pictures_per_second ?? null,
  p50: json.p50 ?? null,
  p95: json.p95 ?? null,
  workers: json.workers,
  wanted: json.wanted ?? null,
});

const readDecision = json => ({ workers: json.workers, reason: json.reason, at: new Date(json.at), policy: json.policy });

const readNow = json => ({
  at: new Date(json.at),
  waiting: json.queue.waiting,
  pending: json.queue.pending,
  oldest: json.queue.oldest_waiting_seconds ?? null,
  completed: json.queue.completed,
  rate: json.pictures_per_second ?? null,
  p50: json.wait_p50 ?? null,
  p95: json.wait_p95 ?? null,
  workers: json.workers.map(worker => ({
    name: worker.worker,
    instance: worker.instance ?? null,
    state: worker.state,
    device: worker.device,
    started: new Date(worker.started_at),
    at: new Date(worker.at),
    slots: worker.slots,
    rate: worker.pictures_per_second ?? null,
    completed: worker.painted,
    batch: worker.batch.map(entry => ({ place: entry.place, job: entry.job_id, index: entry.index, step: entry.step, steps: entry.steps })),
  })),
  /** Newest first. */
  decisions: json.decisions.map(readDecision),
  deadLetters: json.dead_letters.map(letter => ({
    id: letter.id,
    job: letter.job_id ?? null,
    index: letter.index,
    reason: letter.reason,
    at: new Date(letter.at),
  })),
});
