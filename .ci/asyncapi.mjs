// Reads docs/asyncapi.yaml with the specification's own parser: node asyncapi.mjs FILE
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The parser is installed where the process stands, not beside this file.
const { Parser } = createRequire(pathToFileURL(`${process.cwd()}/`))("@asyncapi/parser");
const [file] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
const faults = diagnostics.filter(({ severity }) => severity <= 1); // errors and warnings
for (const { path, message } of faults) console.error(`${file}: ${path.join(".")}: ${message}`);
if (!document || faults.length) process.exit(1);
console.log(`${file}: AsyncAPI ${document.version()}, ${document.channels().length} channels, ${document.operations().length} operations`);
