// Who is who in the batch: each job gets one of twelve pigments, kept while it is seen.

const given = new Map();
let next = 0;

/** The pigment's number of a job, 0 to 11. Neighbours in time get different ones. */
export function pigment(job) {
  let number = given.get(job);
  if (number === undefined) {
    given.set(job, number = next++ % 12);
    // Jobs come and go for days: forget the oldest.
    if (given.size > 2000) given.delete(given.keys().next().value);
  }
  return number;
}
