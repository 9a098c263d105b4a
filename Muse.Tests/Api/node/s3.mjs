// An S3 server for tests: node s3.mjs PORT FOLDER BUCKET. It ends with its standard input, whose lines are commands:
// "delay 500" delays each request by milliseconds, "deny PUT" refuses the requests of a method, "deny" allows them again.
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import S3rver from "@20minutes/s3rver";

const [port, directory, bucket] = process.argv.slice(2);
removeHalfWrittenObjects(join(directory, bucket));
const server = new S3rver({
  address: "127.0.0.1", port: Number(port), directory, silent: true, vhostBuckets: false, configureBuckets: [{ name: bucket }],
});
makeAtomic(server.store);
let delay = 0;
let denied = "";
server.middleware.unshift(async (context, next) => {
  if (delay > 0)
    await new Promise(resume => setTimeout(resume, delay));
  if (context.method === denied) {
    context.status = 403;
    context.type = "application/xml";
    context.body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    return;
  }
  // S3rver signs a bucket's path without the slash at its end, which Amazon's client sends.
  if (context.path === `/${bucket}/`)
    context.app = Object.create(server, { allowMismatchedSignatures: { value: true } });
  await next();
});
await server.run();
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [command, value] = line.split(" ");
  if (command === "delay")
    delay = Number(value);
  else if (command === "deny")
    denied = value ?? "";
  console.log(line);
}
process.exit();

// S3 has an object whole or not at all. S3rver writes over the object while it receives it, so a request that is repeated after a time-out
// may be cut short by the one before. It deletes folders that were empty a moment ago with all that has been written to them since.
function makeAtomic(store) {
  const parts = ["object", "object.md5", "metadata.json"];
  store.putObject = async ({ bucket, key, content, metadata }) => {
    const path = store.getResourcePath(bucket, key, "object");
    const received = join(directory, randomUUID());
    await mkdir(dirname(path), { recursive: true });
    try {
      const [size, md5] = await store.putContent(received, content);
      await rename(received, path);
      await store.putMetadata(bucket, key, metadata, md5);
      return { size, md5 };
    } finally {
      await rm(received, { force: true });
    }
  };
  store.deleteObject = (bucket, key) => Promise.all(parts.map(part => rm(store.getResourcePath(bucket, key, part), { force: true })));
}

// S3rver, killed while it writes one, leaves part of it, and later fails to list the bucket.
// It writes the metadata last, so an object without whole metadata was never acknowledged.
function removeHalfWrittenObjects(folder) {
  if (!existsSync(folder))
    return;
  const suffix = "_S3rver_object";
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith(suffix))
      continue;
    const path = join(entry.parentPath, entry.name.slice(0, -suffix.length));
    if (!isJson(`${path}_S3rver_metadata.json`))
      for (const part of ["object", "object.md5", "metadata.json"])
        rmSync(`${path}_S3rver_${part}`, { force: true });
  }
}

function isJson(path) {
  try {
    JSON.parse(readFileSync(path, "utf8"));
    return true;
  } catch {
    return false;
  }
}
