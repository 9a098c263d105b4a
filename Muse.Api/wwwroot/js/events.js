// Server-sent events over fetch, which, unlike EventSource, can send a key and gives the error response.

import { ApiError, pause, request } from "./http.js";

/**
 * Listens until onEvent returns true, the signal is aborted, or the server answers with an error (an ApiError is thrown).
 * After a lost connection it calls onDown(error) and connects again with Last-Event-ID.
 */
export async function listen(path, { signal, onEvent, onDown = () => { } }) {
  let lastId = "";
  let delay = 500;
  while (true) {
    let received = false;
    let reason = null;
    try {
      const headers = { Accept: "text/event-stream", ...(lastId ? { "Last-Event-ID": lastId } : {}) };
      const response = await request(path, { headers, signal });
      for await (const event of parse(response.body)) {
        received = true;
        if (event.id !== null) lastId = event.id;
        if (event.data !== "" && onEvent(event)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && !error.isBusy && error.status < 500) throw error;
      reason = error;
    }
    onDown(reason);
    delay = received ? 500 : Math.min(delay * 2, 10_000);
    try { await pause(Math.max(delay, (reason?.retryAfter ?? 0) * 1000), signal); } catch { return; }
  }
}

/** Parses a byte stream into events: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
async function* parse(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = blank();
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data.length || event.id !== null) yield { type: event.type, id: event.id, data: event.data.join("\n") };
          event = blank();
          continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") event.type = text;
        else if (field === "data") event.data.push(text);
        else if (field === "id") event.id = text;
      }
    }
  } finally {
    reader.cancel().catch(() => { /* The connection is closed already. */ });
  }
}

const blank = () => ({ type: "message", id: null, data: [] });
