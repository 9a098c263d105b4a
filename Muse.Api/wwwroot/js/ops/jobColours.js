// Gives each job one of twelve colours, so that its images can be followed through the batch.

const numbers = new Map();
let next = 0;

/** The number of a job's colour, 0 to 11. It stays the same while the job is shown; consecutive jobs get different ones. */
export function colourOf(job) {
  let number = numbers.get(job);
  if (number === undefined) {
    numbers.set(job, number = next++ % 12);
    // The page may stay open for days: the oldest entries are dropped.
    if (numbers.size > 2000) numbers.delete(numbers.keys().next().value);
  }
  return number;
}
