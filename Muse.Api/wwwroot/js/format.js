// Numbers, durations and dates as text.

const whole = new Intl.NumberFormat("en");

/** 12,345 */
export const count = n => whole.format(Math.round(n));

/** 3 images, 1 image */
export const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;

/** A rate or a short figure: 0, 0.42, 3.7, 75 */
export function figure(n) {
  if (n == null || !Number.isFinite(n)) return "–";
  if (Number.isInteger(n)) return count(n);
  if (n < 1) return n.toFixed(2);
  if (n < 10) return n.toFixed(1);
  return count(n);
}

/** A duration in seconds: 0.4 s, 12 s, 3 min, 2 h 5 min */
export function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round(seconds % 3600 / 60)} min`;
}

/** How long ago: just now, 40 s ago, 5 min ago */
export function ago(date, now = new Date()) {
  const seconds = (now - date) / 1000;
  return seconds < 5 ? "just now" : `${seconds < 120 ? `${Math.round(seconds)} s` : duration(seconds)} ago`;
}

/** 14:03:07 */
export const clock = date => date.toLocaleTimeString("en-GB");

/** A sampler's name without its underscores. */
export const tidySampler = name => name.replaceAll("_", " ");
