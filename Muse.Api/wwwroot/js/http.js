// Requests to the API: with the caller's key, with errors as messages, and with retries as the server asks for them.

const keyName = "muse.key";

/** The caller's API key, kept for this tab. */
export const key = {
  get: () => { try { return sessionStorage.getItem(keyName) ?? ""; } catch { return ""; } },
  set(value) {
    try {
      value ? sessionStorage.setItem(keyName, value) : sessionStorage.removeItem(keyName);
    } catch { /* There is no storage: the next page asks again. */ }
  },
};

/** An error response of the API, with its message. */
export class ApiError extends Error {
  constructor(status, message, field = null, retryAfter = null) {
    super(message);
    this.status = status;
    this.field = field;
    this.retryAfter = retryAfter;
  }
  /** Whether the same request may succeed later. */
  get isBusy() { return this.status === 429 || this.status === 503; }
  get needsKey() { return this.status === 401 || this.status === 403; }
}

/** There was no response. */
export class Unreachable extends Error {
  constructor() { super("Muse does not answer."); }
}

/** Sends a request. Throws ApiError or Unreachable unless the response is a success. */
export async function request(path, { method = "GET", body, headers = {}, signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      cache: "no-store",
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(key.get() ? { Authorization: `Bearer ${key.get()}` } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable();
  }
  if (response.ok) return response;
  throw await toApiError(response);
}

/** Sends a request and reads the response as JSON. */
export const getJson = async (path, options) => (await request(path, options)).json();

/**
 * Sends a request again while the server is busy or unreachable, after the time that it asks for.
 * onWaiting(seconds, error) is called at the start of each wait. Aborting the signal ends it.
 */
export async function getJsonWithRetries(path, options, onWaiting) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await getJson(path, options);
    } catch (error) {
      const busy = error instanceof ApiError && error.isBusy;
      if (!busy && !(error instanceof Unreachable)) throw error;
      const seconds = Math.max(1, error.retryAfter ?? Math.min(2 ** attempt, 15));
      onWaiting(seconds, error);
      await pause(seconds * 1000, options.signal);
    }
  }
}

/** Resolves after a while, rejects at once when the signal is aborted. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", abort); resolve(); }, milliseconds);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

async function toApiError(response) {
  const retryAfter = seconds(response.headers.get("Retry-After"));
  let problem = null;
  try { problem = await response.json(); } catch { /* Not JSON, such as a proxy's page: the status decides the message. */ }
  const field = problem?.field ?? problem?.error?.param ?? firstKey(problem?.errors) ?? null;
  const message = problem?.detail ?? problem?.error?.message ?? firstValue(problem?.errors) ?? problem?.title
    ?? messageFor(response.status);
  return new ApiError(response.status, message, field, retryAfter);
}

const firstKey = errors => errors ? Object.keys(errors)[0] : undefined;
const firstValue = errors => errors ? [Object.values(errors)[0]].flat()[0] : undefined;

/** Retry-After: seconds, or a date. */
function seconds(header) {
  if (!header) return null;
  const number = Number(header);
  if (Number.isFinite(number)) return Math.max(0, number);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / 1000);
}

function messageFor(status) {
  if (status === 404) return "It is not there any more. Muse keeps images for a limited time.";
  if (status === 413) return "That is more text than Muse takes at once. Please shorten it.";
  if (status === 429) return "There are too many requests right now.";
  if (status === 503) return "Muse is getting ready.";
  if (status >= 500) return "Something went wrong inside Muse. Please try again.";
  return `The request was refused (${status}).`;
}
