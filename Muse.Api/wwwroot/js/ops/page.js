// The page at "/ops". Everything that it shows comes from one event stream.

import { byId, setText } from "../dom.js";
import { count, duration, figure } from "../format.js";
import { ApiError, key } from "../http.js";
import { askForKey } from "../key.js";
import * as operations from "../operations.js";
import { charts } from "./charts.js";
import { deadLetters } from "./deadLetters.js";
import { showDecisions } from "./decisions.js";
import { workers } from "./workers.js";

const hour = 3_600_000;
const views = { workers: workers(), charts: charts(), dead: deadLetters(requeue) };
let points = [];

async function watch() {
  const onDown = () => showConnection("lost", "Connection lost; looking again");
  while (true) {
    showConnection("connecting", "Connecting");
    try {
      await operations.watch({ signal: new AbortController().signal, onHistory, onNow, onDown });
    } catch (error) {
      showConnection("lost", "Not connected");
      if (!(error instanceof ApiError && error.needsKey)) return showBanner(error.message);
      key.set("");
      if (!await askForKey(error.message, "An operator's key, please")) {
        return showBanner("This page needs an operator's key. Reload it to enter one.");
      }
    }
  }
}

function onHistory(history) {
  points = history;
  views.charts.show(points);
}

function onNow(now) {
  showConnection("live", "Live");
  showBanner("");
  const slots = now.workers.reduce((sum, worker) => sum + worker.slots, 0);
  const busy = now.workers.reduce((sum, worker) => sum + worker.batch.length, 0);
  setText(byId("waiting"), count(now.waiting));
  setText(byId("oldest"), now.oldest === null ? "none waits" : `the oldest for ${duration(now.oldest)}`);
  setText(byId("busy"), count(busy));
  setText(byId("places"), `of ${count(slots)} places`);
  setText(byId("rate"), figure(now.rate));
  setText(byId("completed"), `${count(now.completed)} ended so far`);
  setText(byId("p50"), now.p50 === null ? "–" : duration(now.p50));
  setText(byId("p95"), now.p95 === null ? "–" : duration(now.p95));
  views.workers.show(now.workers);
  showDecisions(now.decisions);
  views.dead.show(now.deadLetters);
  addPoint(now);
}

/** Adds a point to the charts every five seconds, which is as fine as a chart of an hour can show. */
function addPoint(now) {
  const last = points.at(-1);
  if (last && now.at - last.at < 5000) return;
  points.push({
    at: now.at,
    waiting: now.waiting,
    rate: now.rate,
    p50: now.p50,
    p95: now.p95,
    workers: now.workers.length,
    wanted: now.decisions[0]?.workers ?? null,
  });
  while (points.length && points[0].at < now.at - hour) points.shift();
  views.charts.show(points);
}

async function requeue(letter, button) {
  button.disabled = true;
  try {
    await operations.requeue(letter.id);
    setText(byId("announcer"), "Put back into the queue.");
  } catch (error) {
    button.disabled = false;
    showBanner(error.message);
  }
}

function showConnection(state, text) {
  byId("live").dataset.state = state;
  setText(byId("live").firstElementChild, text);
}

function showBanner(text) {
  setText(byId("banner"), text);
  byId("banner").hidden = !text;
}

watch();
