/**
 * Makes a fresh clone runnable: `node scripts/bootstrap.mjs install` installs if package-lock.json asks for it, and `build`
 * also builds if a source is newer than dist/. npm runs the one before `npm test`, the other before `npm start`.
 *
 * 1. Only Node's own modules: it runs before anything is installed.
 * 2. Nothing to do costs under 150 ms; running it twice changes nothing.
 * 3. It speaks on stderr only when it works or fails, and a failure says what to do.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const at = (path) => join(root, path);

const INSTALLED = at("node_modules/.cache/mcm-installed"); // holds the hash of the lockfile that was installed
const BUILT = at("dist/.built"); // its time is the time of the last complete build
const NODE_MIN = [20, 19];

class Failure extends Error {}

try {
  const goal = process.argv[2];
  if (goal !== "install" && goal !== "build") throw new Failure("Usage: node scripts/bootstrap.mjs install|build");
  requireNode();
  install();
  if (goal === "build") build();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  throw new Failure(
    `This needs Node ${NODE_MIN.join(".")} or newer; this is ${process.versions.node}. Install a newer Node and run it again.`,
  );
}

function install() {
  const lockfile = readFileSync(at("package-lock.json"));
  const hash = createHash("sha256").update(lockfile).digest("hex");
  if (readIfThere(INSTALLED) === hash) return;
  if (!installedByHand(lockfile)) {
    console.error("Installing the packages of package-lock.json with npm ci; the first time takes about a minute.");
    run(
      "npm",
      ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"],
      "npm ci failed. See npm's message above: if it could not download, check `npm ping`; if it calls the lockfile out of sync, restore package-lock.json. Then run the command again.",
    );
  }
  write(INSTALLED, hash);
}

/** Someone ran `npm ci` or `npm install`: npm's own record names every package that this machine needs, at our version. */
function installedByHand(lockfile) {
  const record = readIfThere(at("node_modules/.package-lock.json"));
  if (record === undefined) return false;
  const present = JSON.parse(record).packages;
  return Object.entries(JSON.parse(lockfile).packages).every(
    ([path, { version, optional }]) => path === "" || optional === true || present[path]?.version === version,
  );
}

function build() {
  if (existsSync(BUILT) && newestSourceMs() <= statSync(BUILT).mtimeMs) return;
  console.error("Building dist/.");
  const startedAt = new Date(); // a file saved during the build is newer than the build
  rmSync(BUILT, { force: true });
  run(
    at("node_modules/.bin/tsc"),
    ["-p", "tsconfig.build.json"],
    "The build failed: fix the errors above, then run the command again.",
  );
  run(
    at("node_modules/.bin/vite"),
    ["build", "--config", "client/panel/vite.config.ts"],
    "The panel's build failed: fix the errors above, then run the command again.",
  );
  const main = at("dist/server/main.js");
  if (existsSync(main)) chmodSync(main, 0o755);
  write(BUILT, "");
  utimesSync(BUILT, startedAt, startedAt);
}

/** Folders count too: their time changes when a file in them is removed. */
function newestSourceMs() {
  const settings = ["package-lock.json", "tsconfig.json", "tsconfig.build.json", "scripts/bootstrap.mjs"];
  const files = ["shared", "server", "client"].flatMap((folder) => [
    folder,
    ...readdirSync(at(folder), { recursive: true, encoding: "utf8" }).map((path) => join(folder, path)),
  ]);
  return Math.max(...[...settings, ...files].map((path) => statSync(at(path)).mtimeMs));
}

function run(command, args, advice) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (error !== undefined) throw new Failure(`${command} did not start (${error.message}). ${advice}`);
  if (status !== 0) throw new Failure(advice);
}

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
