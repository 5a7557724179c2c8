/**
 * House rules that no linter knows: headers, names, notes to self, sleeping tests, open listeners, registry addresses.
 */
import { extname, posix } from "node:path";
import type { Argument, Expression } from "oxc-parser";
import { describe, expect, test } from "vitest";
import { filesIn, read, sourcesIn, visit } from "./source.ts";
import type { Source } from "./source.ts";

const everything = filesIn();
const product = sourcesIn("server", "client", "shared");
const code = [...product, ...sourcesIn("test", "e2e", "scripts")];
const BINARY = new Set([".png", ".ico", ".woff2", ".bin", ".gz", ".br"]);
const text = everything.filter((path) => !BINARY.has(extname(path))).map(read);

/** The registry that npm is set to on this machine, so that a private one never leaks into a file either. */
const registriesInUse = [process.env["npm_config_registry"] ?? ""]
  .filter((url) => URL.canParse(url))
  .map((url) => new URL(url).hostname)
  .filter((host) => host.includes(".") && !host.startsWith("127."));

const pathsOf = (sources: readonly Source[]): string[] => sources.map(({ path }) => path);

test("the check sees the files (a silent zero would be a false green)", () => {
  expect(product.length).toBeGreaterThan(8);
  expect(pathsOf(text)).toContain("package-lock.json");
});

test("every file opens with a comment on its one job", () => {
  const bare = code.filter(({ text: it }) => !/^(#!.*\n)?\/\*\*\s/.test(it));
  expect(pathsOf(bare)).toEqual([]);
});

describe("notes to self", () => {
  /** `TODO(name, 2026-11-22): …` */
  const loose = /\bFIX(?:)ME\b|\bTO(?:)DO\b(?!\([a-z]+, \d{4}-\d\d-\d\d\): )/;

  test("there are none without a name and a date", () => {
    expect(pathsOf(code.filter((source) => loose.test(source.text)))).toEqual([]);
  });

  // Spelled with escapes, so that this file does not find itself.
  test.each([
    ["// TO\u0044O: later", true],
    ["// FIX\u004dE(ann, 2026-11-22): soon", true],
    ["// TO\u0044O(ann, 2026-11-22): drop when the old frames are gone", false],
  ])("%s is refused: %s", (planted, refused) => {
    expect(loose.test(planted)).toBe(refused);
  });
});

describe("names", () => {
  test("files are kebab-case", () => {
    const odd = pathsOf(code).filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*$/.test(posix.basename(path)));
    expect(odd).toEqual([]);
  });

  test("no file is a dumping ground", () => {
    const dumps = /^(utils?|common|helpers?|types|misc|shared|lib|constants|interfaces)\./;
    expect(pathsOf(code).filter((path) => dumps.test(posix.basename(path)))).toEqual([]);
  });
});

test("tests that can drive time themselves do not wait for it", () => {
  const sleepy = sourcesIn("test/unit", "test/contract", "test/property", "test/sim").filter((source) =>
    /\b(setTimeout|setInterval|sleep)\s*\(|timers\/promises|Atomics\.wait\b/.test(source.text),
  );
  expect(pathsOf(sleepy)).toEqual([]);
});

test("the server reads the clock in clock.ts only", () => {
  const readers = product.filter((source) => source.path.startsWith("server/") && newDates(source) > 0);
  expect(pathsOf(readers)).toEqual([]);
});

test("the lockfile names every optional package at its version, also those of other platforms", () => {
  // npm leaves out what the registry at hand does not offer, and then `npm ci` refuses the lockfile everywhere.
  const { packages } = JSON.parse(read("package-lock.json").text) as { packages: Record<string, LockedPackage> };
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name, range]) => /^\d/.test(range) && lockedVersion(packages, path, name) !== range)
      .map(([name, range]) => `${path} needs ${name}@${range}`),
  );
  expect(missing).toEqual([]);
});

describe("addresses", () => {
  test("the lockfile and all other files name no package registry", () => {
    const wellKnown = /registry\.(npmjs|yarnpkg|npmmirror)\.|npm\.pkg\.github\.|"resolved":\s+"http/;
    const named = text.filter(
      (source) => wellKnown.test(source.text) || registriesInUse.some((it) => source.text.includes(it)),
    );
    expect(pathsOf(named)).toEqual([]);
  });

  test("everything that listens says where", () => {
    const ours = code.filter(({ path }) => !path.startsWith("test/bench/peers/")); // other servers have other words for it
    expect(ours.flatMap(openListeners)).toEqual([]);
  });

  test.each([
    "server.listen(0);",
    "server.listen(0, () => {});",
    'server.listen(0, "0.0.0.0");',
    "server.listen({ port: 0 });",
    'server.listen({ port: 0, host: "::" });',
    "new WebSocketServer({ port: 0 });",
    "serve({ fetch, port: 0 });",
  ])("a planted open listener is found: %s", (planted) => {
    expect(openListeners({ path: "a.ts", text: planted })).toHaveLength(1);
  });

  test.each([
    'server.listen(0, "127.0.0.1", () => {});',
    "server.listen(port, host);",
    "server.listen({ port, host });",
    'server.listen("/tmp/a.sock");',
    "server.listen(options);",
    "new WebSocketServer({ noServer: true });",
    'serve({ fetch, port: 0, hostname: "::1" });',
  ])("a listener that says where passes: %s", (planted) => {
    expect(openListeners({ path: "a.ts", text: planted })).toEqual([]);
  });
});

interface LockedPackage {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What Node would find for `name` from the package at `path`: the nearest node_modules upwards. */
function lockedVersion(packages: Record<string, LockedPackage>, path: string, name: string): string | undefined {
  const prefix = path === "" ? "" : `${path}/`;
  const locked = packages[`${prefix}node_modules/${name}`];
  if (locked !== undefined || path === "") return locked?.version;
  return lockedVersion(packages, path.slice(0, Math.max(0, path.lastIndexOf("node_modules/") - 1)), name);
}

/** `new Date()` without an argument. */
function newDates(source: Source): number {
  let count = 0;
  visit(source, {
    NewExpression: ({ callee, arguments: args }) => {
      if (callee.type === "Identifier" && callee.name === "Date" && args.length === 0) count += 1;
    },
  });
  return count;
}

/** Listening without a host is listening on every address of the machine; a literal host must be a loopback one. */
function openListeners(source: Source): string[] {
  const open: string[] = [];
  const report = (start: number): void => {
    open.push(`${source.path}: ${source.text.slice(start, start + 60).split("\n")[0]}`);
  };
  visit(source, {
    CallExpression: ({ callee, arguments: args, start }) => {
      if (
        callee.type === "MemberExpression" &&
        callee.property.type === "Identifier" &&
        callee.property.name === "listen"
      ) {
        if (isOpen(args)) report(start);
      }
      if (callee.type === "Identifier" && callee.name === "serve" && args.some((arg) => hasOpenPort(arg)))
        report(start);
    },
    NewExpression: ({ callee, arguments: args, start }) => {
      if (callee.type === "Identifier" && callee.name === "WebSocketServer" && args.some(hasOpenPort)) report(start);
    },
  });
  return open;
}

/** The arguments of `listen(port, host, …)`, `listen({ port, host })` or `listen(socketPath)`. */
function isOpen([first, second]: readonly Argument[]): boolean {
  if (first === undefined) return true;
  if (first.type === "ObjectExpression") return hasOpenPort(first);
  const isPort =
    first.type === "Identifier" ? first.name === "port" : first.type === "Literal" && typeof first.value === "number";
  if (second === undefined || second.type === "ArrowFunctionExpression") return isPort;
  return !isLoopbackOrComputed(second);
}

function hasOpenPort(argument: Argument): boolean {
  if (argument.type !== "ObjectExpression") return false;
  const named = (...names: string[]) =>
    argument.properties.flatMap((it) =>
      it.type === "Property" && it.key.type === "Identifier" && names.includes(it.key.name) ? [it.value] : [],
    );
  const [host] = named("host", "hostname");
  if (host === undefined) return named("port").length > 0;
  return !isLoopbackOrComputed(host);
}

function isLoopbackOrComputed(host: Expression | Argument): boolean {
  return host.type !== "Literal" || ["127.0.0.1", "::1", "localhost"].includes(String(host.value));
}
