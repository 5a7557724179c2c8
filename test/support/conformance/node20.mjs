/**
 * Lets the conformance suite start on Node 20: its bundle imports `globSync` from fs, which came with Node 22, for a
 * subcommand that is not used here. Loaded with `node --import` into the suite's process only.
 */
import { register } from "node:module";

const FS = `
  export * from "node:fs";
  export const globSync = () => { throw new Error("fs.globSync needs Node 22"); };
`;

const HOOKS = `
  export async function resolve(specifier, context, next) {
    const isSuite = context.parentURL?.includes("/@modelcontextprotocol/conformance/dist/") === true;
    if (!isSuite || (specifier !== "fs" && specifier !== "node:fs")) return next(specifier, context);
    return { url: ${JSON.stringify(`data:text/javascript,${encodeURIComponent(FS)}`)}, format: "module", shortCircuit: true };
  }
`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`, import.meta.url);
