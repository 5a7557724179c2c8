/**
 * Imports follow the layer table, there are no cycles, and the check is not blind: each kind of violation is planted once.
 */
import { expect, test } from "vitest";
import { importCycles, LAYERS, layerOf, layerViolations, targetsOf } from "./layers.ts";
import { filesIn, sourcesIn } from "./source.ts";
import type { Source } from "./source.ts";

const sources = sourcesIn("shared", "server", "client", "scripts");

test("imports follow the layer table", () => {
  expect(layerViolations(sources)).toEqual([]);
});

test("there are no import cycles", () => {
  expect(importCycles(sources)).toEqual([]);
});

test("the check sees the code (a silent zero would be a false green)", () => {
  const edges = sources.flatMap((source) => targetsOf(source).map((target) => `${source.path} -> ${target}`));
  expect(sources.length).toBeGreaterThan(8);
  expect(edges.length).toBeGreaterThan(8);
  expect(edges).toContain("server/storage/change-log.ts -> shared/ids.ts");
});

test("the rows of the table name each other", () => {
  const names = new Set(Object.keys(LAYERS));
  const strangers = Object.values(LAYERS).flatMap(({ imports }) => Object.keys(imports).filter((to) => !names.has(to)));
  expect(strangers).toEqual([]);
});

const at = (path: string, text: string): Source => ({ path, text });

test.each([
  ["a manager that imports a manager", "server/sync/a.ts", `import { b } from "../storage/b.ts";`],
  ["state that imports a manager", "server/state/a.ts", `import { b } from "../storage/b.ts";`],
  ["a transport that calls a manager", "server/transport/rest/a.ts", `import { b } from "../../storage/b.ts";`],
  ["a client that imports the server", "client/a.ts", `import type { B } from "../server/storage/b.ts";`],
  ["shared that imports the server", "shared/a.ts", `export * from "../server/storage/b.ts";`],
  ["state that runs the log", "server/state/a.ts", `import { b } from "../storage/change-log.ts";`],
  ["an import of main", "server/cli/a.ts", `import "../main.ts";`],
  ["an import of a test", "server/storage/a.ts", `import { x } from "../support/x.ts";`],
  ["a dynamic import", "server/sync/a.ts", `const { b } = await import("../storage/b.ts"); void b;`],
  ["a computed import", "server/sync/a.ts", `const b = "x"; await import(b);`],
  ["a type reached by import()", "server/sync/a.ts", `export type B = import("../storage/b.ts").B;`],
  ["a Node module in the core", "server/state/a.ts", `import { readFile } from "node:fs/promises";`],
  ["a Node module without its prefix", "server/state/a.ts", `import { readFile } from "fs";`],
  ["a package of another layer", "server/state/a.ts", `import { WebSocket } from "ws";`],
  ["a scoped package of another layer", "server/sync/a.ts", `import { serve } from "@hono/node-server";`],
  ["a file that does not exist", "server/storage/a.ts", `import { c } from "./c.ts";`],
])("a planted violation is found: %s", (_name, path, text) => {
  const targets = ["server/storage/b.ts", "server/storage/change-log.ts", "server/main.ts"].map((it) => at(it, ""));
  expect(layerViolations([at(path, text), ...targets])).toEqual([expect.stringContaining(`${path} -> `)]);
});

test("a planted file outside every layer is found", () => {
  expect(layerViolations([at("server/utils.ts", "")])).toEqual([expect.stringContaining("belongs to no layer")]);
});

test("allowed imports pass: types of the log in state, downwards, and inside a layer", () => {
  const planted = [
    at(
      "server/state/a.ts",
      `import type { B } from "../storage/change-log.ts"; import { c } from "../../shared/c.ts";`,
    ),
    at(
      "server/storage/b.ts",
      `import { B } from "./change-log.ts"; import { Level } from "classic-level"; import "node:fs";`,
    ),
    at("server/storage/change-log.ts", ""),
    at("shared/c.ts", ""),
  ];
  expect(layerViolations(planted)).toEqual([]);
});

test("a planted cycle is found once", () => {
  const planted = [
    at("shared/a.ts", `import "./b.ts";`),
    at("shared/b.ts", `import type { C } from "./c.ts";`),
    at("shared/c.ts", `export { a } from "./a.ts";`),
  ];
  expect(importCycles(planted)).toEqual(["shared/a.ts -> shared/b.ts -> shared/c.ts -> shared/a.ts"]);
});

test("a file that does not parse is an error", () => {
  expect(() => layerViolations([at("shared/a.ts", "import {")])).toThrow("does not parse");
});

test("every source file of the product belongs to a layer", () => {
  const code = filesIn().filter((path) => /^(shared|server|client)\/.*\.ts$/.test(path));
  expect(code.filter((path) => layerOf(path) === undefined)).toEqual([]);
});
