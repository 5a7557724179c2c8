/**
 * Is a data folder, or a backup, whole? Every file, every record and every reference is read, and the log of each context is
 * played again from its base and from its checkpoints.
 *
 * Invariants (DATA):
 *  1. Nothing is written; a folder that a server writes meanwhile is told as such, not as damaged.
 *  2. Whatever the files hold, it ends, and says which contexts are damaged and what of them can be saved.
 *
 * Not here: reading LevelDB's files (store/level-reader.ts), the server's own records (server-check.ts), one context
 * (context-check.ts), printing (server/cli).
 */
import { join } from "node:path";
import { LOG_FOLDER, readManifest, refuseIncomplete, type BackupManifest } from "../backup/backup-folder.ts";
import { RecordDigest } from "../backup/record-digest.ts";
import * as keys from "../log/log-keys.ts";
import type { ContextRecord } from "../log/record-codec.ts";
import { LevelReader, type LevelDamage } from "../store/level-reader.ts";
import { ContextCheck, type ContextCursors, type ContextFinding } from "./context-check.ts";
import { RecordCursor } from "./record-cursor.ts";
import { ServerCheck, type ServerFacts } from "./server-check.ts";

export interface VerifyReport {
  readonly folder: string;
  readonly isSound: boolean;
  readonly contexts: number;
  readonly entries: number;
  readonly checkpoints: number;
  /** Of the folder's files. */
  readonly bytes: number;
  /** Of the files, and of what belongs to no context. */
  readonly problems: readonly string[];
  readonly damaged: readonly ContextFinding[];
  /** Of a backup. */
  readonly backup?: BackupState;
}

export interface BackupState extends Pick<BackupManifest, "takenAtMs" | "from"> {
  /** No server has opened it since. */
  readonly isUntouched: boolean;
}

export interface VerifyOptions {
  /** Called with the contexts done, and all of them. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Problems told of a folder; a damaged table has one for each block. */
const PROBLEMS_MAX = 20;

/**
 * @throws {ServiceError} DATA_DAMAGED when it is no data folder, or a backup that was cut short; DATA_DIR_LOCKED when a server
 *   writes it; DATA_FORMAT_NEWER
 */
export async function verifyFolder(folder: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  await refuseIncomplete(folder);
  return new FolderCheck(folder, options).run();
}

class FolderCheck {
  readonly #folder: string;
  readonly #options: VerifyOptions;
  readonly #damages = new Map<string, LevelDamage>();
  readonly #problems: string[] = [];
  readonly #damaged: ContextFinding[] = [];
  #contexts: ReadonlyMap<number, ContextRecord> = new Map();
  #entries = 0;
  #checkpoints = 0;

  constructor(folder: string, options: VerifyOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  async run(): Promise<VerifyReport> {
    const reader = await LevelReader.open(join(this.#folder, LOG_FOLDER), (damage) => this.#noteDamage(damage));
    let backup: BackupState | undefined;
    try {
      const server = new ServerCheck(reader, (what) => void this.#problems.push(what));
      const facts = await server.read(this.#folder, () => this.#damages.size > 0);
      this.#contexts = facts.contexts;
      await this.#checkContexts(reader, server, facts);
      await server.checkRest();
      backup = await this.#checkBackup(reader, facts);
    } finally {
      // what a server does meanwhile looks like damage
      await reader.assertUnchanged();
    }
    const problems = [...[...this.#damages.values()].map((damage) => this.#textOf(damage)), ...this.#problems];
    return {
      folder: this.#folder,
      isSound: problems.length === 0 && this.#damaged.length === 0,
      contexts: this.#contexts.size,
      entries: this.#entries,
      checkpoints: this.#checkpoints,
      bytes: reader.bytes,
      problems: shortened(problems),
      damaged: this.#damaged,
      ...(backup === undefined ? {} : { backup }),
    };
  }

  async #checkContexts(reader: LevelReader, server: ServerCheck, facts: ServerFacts): Promise<void> {
    const cursor = (letter: "h" | "i" | "k" | "l" | "r", numbers: number): RecordCursor =>
      new RecordCursor(reader, keys.allOf(letter), { numbers, onStray: (key) => server.stray(key) });
    const cursors: ContextCursors = {
      heads: cursor("h", 1),
      checkpoints: cursor("k", 2),
      runs: cursor("l", 2),
      records: cursor("r", 1),
      idempotency: cursor("i", 1),
    };
    await server.checkRecords(cursors.records);
    const unseen = new Set(facts.contexts.keys());
    for (let number = await leastOf(cursors); number !== undefined; number = await leastOf(cursors)) {
      const context = facts.contexts.get(number);
      if (context === undefined) {
        const left = await drain(cursors, number);
        // of a context that was being deleted they go at the next start
        if (!facts.purged.has(number))
          this.#problems.push(`There are ${left} records of context number ${number}, and no context has it`);
        continue;
      }
      unseen.delete(number);
      const { meta } = context;
      const onIdempotency = (key: Uint8Array): void => server.pairs.record(key);
      const check = new ContextCheck(cursors, { number, meta, nodeClientId: facts.nodeClientId, onIdempotency });
      const { finding, entries, checkpoints } = await check.run();
      this.#entries += entries;
      this.#checkpoints += checkpoints;
      if (finding.problems.length > 0) this.#damaged.push(finding);
      this.#options.onProgress?.(facts.contexts.size - unseen.size, facts.contexts.size);
    }
    for (const number of unseen) {
      const id = facts.contexts.get(number)?.meta.id ?? `number ${number}`;
      this.#damaged.push({ id, problems: ["There is nothing of it but its name"], saved: "nothing of it can be read" });
    }
  }

  /** Until a server opens it, a backup holds what was sent, byte by byte. */
  async #checkBackup(reader: LevelReader, { openedAtMs }: ServerFacts): Promise<BackupState | undefined> {
    const manifest = await readManifest(this.#folder);
    if (manifest === undefined) return undefined;
    const { takenAtMs, from } = manifest;
    const isUntouched = openedAtMs === manifest.openedAtMs;
    if (!isUntouched) return { takenAtMs, from, isUntouched };
    const digest = new RecordDigest();
    for await (const page of reader.pages(keys.EVERYTHING)) digest.add(page);
    const { records, sha256 } = digest.result();
    if (sha256 !== manifest.sha256)
      this.#problems.push(`It is not what was backed up: ${records} records instead of ${manifest.records}, or others`);
    return { takenAtMs, from, isUntouched };
  }

  /** Several passes may come by the same place. */
  #noteDamage(damage: LevelDamage): void {
    this.#damages.set(`${damage.file} ${damage.how} ${damage.keys?.first.toString("hex") ?? ""}`, damage);
  }

  #textOf({ file, how, keys: range }: LevelDamage): string {
    const what = `${join(LOG_FOLDER, file)} ${how}`;
    if (range === undefined) return what;
    const [first, last] = [this.#placeOf(range.first), this.#placeOf(range.last)];
    return `${what}, which holds ${first === last ? `a part of ${first}` : `what lies from ${first} to ${last}`}`;
  }

  /** A key in words, as far as it can be told. */
  #placeOf(key: Buffer): string {
    const letter = String.fromCharCode(key[0] ?? 0);
    if (letter === "c" || letter === "e") return `the name of "${keys.contextIdOf(key)}"`;
    if (!"hiklpr".includes(letter) || key.length < 7) return letter === "t" ? "expiry keys" : "the server";
    const number = keys.contextNumberOf(key);
    const kind = { h: "head", i: "idempotency", k: "checkpoints", l: "log", p: "deletion", r: "records" }[letter] ?? "";
    return `the ${kind} of "${this.#contexts.get(number)?.meta.id ?? `context number ${number}`}"`;
  }
}

async function leastOf(cursors: ContextCursors): Promise<number | undefined> {
  let least: number | undefined;
  for (const cursor of cursorsIn(cursors)) {
    const number = await cursor.number();
    if (number !== undefined && (least === undefined || number < least)) least = number;
  }
  return least;
}

async function drain(cursors: ContextCursors, number: number): Promise<number> {
  let count = 0;
  for (const cursor of cursorsIn(cursors))
    for (let record = await cursor.next(number); record !== undefined; record = await cursor.next(number)) count++;
  return count;
}

function cursorsIn({ heads, checkpoints, runs, records, idempotency }: ContextCursors): readonly RecordCursor[] {
  return [heads, checkpoints, runs, records, idempotency];
}

function shortened(problems: readonly string[]): readonly string[] {
  if (problems.length <= PROBLEMS_MAX) return problems;
  return [...problems.slice(0, PROBLEMS_MAX), `… and ${problems.length - PROBLEMS_MAX} more`];
}
