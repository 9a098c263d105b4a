// What a parser of generation parameters reads of the image file at process.argv[2], as one line of JSON.
import { readFile } from "node:fs/promises";
import metadata from "stable-diffusion-image-metadata";

const [file, type] = process.argv.slice(2);
const [parameters] = await metadata.extract(`data:${type};base64,${(await readFile(file)).toString("base64")}`);
console.log(JSON.stringify(metadata.parse(parameters)));
