/** The layers as they are, with one mistake planted into what they test: MCM_MUTANT names it. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import layers from "../../vitest.config.ts";
import { MUTANTS } from "./mutants.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const mutant = MUTANTS.find(({ name }) => name === process.env["MCM_MUTANT"]);
if (mutant === undefined) throw new Error(`there is no mutant ${process.env["MCM_MUTANT"]}`);

const planting = {
  name: "mutant",
  enforce: "pre" as const,
  transform(code: string, id: string) {
    return id === `${root}${mutant.file}` ? code.replace(mutant.text, () => mutant.instead) : undefined;
  },
};

const projects = layers.test?.projects?.flatMap((layer) =>
  typeof layer === "object" && "test" in layer ? [{ ...layer, plugins: [planting] }] : [],
);

export default defineConfig({ root, test: { ...layers.test, projects: projects ?? [] } });
