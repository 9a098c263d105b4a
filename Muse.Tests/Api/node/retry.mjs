// The official Node client retries by itself after a 429. The server process.argv[2] allows the key process.argv[3] one request a second.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}v1`, apiKey: process.argv[3] });
const both = await Promise.all([1, 2].map(seed => client.images.generate({ model: "gpt-image-1", prompt: "a fox", seed })));
assert.deepEqual(both.map(answer => answer.seed), [1, 2]);
const strict = new OpenAI({ baseURL: `${process.argv[2]}v1`, apiKey: process.argv[3], maxRetries: 0 });
const requests = [1, 2, 3].map(seed => strict.images.generate({ model: "gpt-image-1", prompt: "a fox", seed }));
await assert.rejects(Promise.all(requests), OpenAI.RateLimitError);
console.log("ok");
