// Generates a client from the OpenAPI document process.argv[2] into process.argv[3], compiles it strictly, and runs paint.ts with the
// server process.argv[4].
import { execFileSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";

const [document, folder, server] = process.argv.slice(2);
const run = (script, ...rest) => execFileSync(process.execPath, [script, ...rest], { stdio: "inherit" });
run("node_modules/@hey-api/openapi-ts/bin/run.js", "-i", document, "-o", `${folder}/src`);
copyFileSync("paint.ts", `${folder}/src/paint.ts`);
run("node_modules/typescript/bin/tsc", "--strict", "--target", "es2022", "--module", "commonjs", "--moduleResolution", "node10",
  "--skipLibCheck", "--lib", "es2022,dom,dom.iterable", "--typeRoots", "node_modules/@types", "--types", "node",
  "--outDir", `${folder}/out`, `${folder}/src/paint.ts`);
writeFileSync(`${folder}/out/package.json`, `{"type":"commonjs"}`);
run(`${folder}/out/paint.js`, server);
