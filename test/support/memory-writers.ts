/**
 * Agents of several hosts that write into one memory at the same time, each through a process of its own as hosts start them:
 * what is sent, and what is there in the end.
 */
import { createRequire } from "node:module";
import process from "node:process";
import { mcm } from "./mcm-program.ts";
import { overStdio } from "./mcp-clients.ts";
import type { Program, StdioTalk } from "./mcp-clients.ts";

export const PROCESSES = 4;
export const WRITES_EACH = 20;

export interface Tally {
  readonly sent: number;
  /** Answered without an error. */
  readonly answered: number;
  /** There in the end. */
  readonly kept: number;
  /** There more than once. */
  readonly doubled: number;
  readonly durationMs: number;
}

interface Memory {
  readonly program: Program;
  /** Once, by the first process. */
  readonly prepare: (talk: StdioTalk) => Promise<unknown>;
  readonly write: (talk: StdioTalk, note: string) => Promise<{ readonly isError: boolean }>;
  readonly notes: (talk: StdioTalk) => Promise<readonly string[]>;
}

/** mcp-context-manager, in a folder. */
export function ourMemory(dataDir: string): Memory {
  const id = "memory";
  return {
    program: mcm(["mcp", "--data-dir", dataDir]),
    prepare: (talk) => talk.call("context_create", { id, data: { notes: [] } }),
    write: (talk, note) => talk.call("context_update", { id, ops: [{ op: "add", path: "/notes/-", value: note }] }),
    notes: async (talk) => {
      const { data } = await talk.call("context_read", { id, path: "/notes", depth: 2, max_chars: 100_000 });
      return data["data"] as readonly string[];
    },
  };
}

/** The reference server `@modelcontextprotocol/server-memory`, with its file. */
export function referenceMemory(file: string): Memory {
  const main = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-memory/dist/index.js");
  const { PATH = "" } = process.env;
  return {
    program: { command: process.execPath, args: [main], env: { PATH, MEMORY_FILE_PATH: file } },
    prepare: async () => undefined,
    write: (talk, note) =>
      talk.call("create_entities", { entities: [{ name: note, entityType: "note", observations: [] }] }),
    notes: async (talk) => {
      const { data } = await talk.call("read_graph");
      return (data["entities"] as readonly { readonly name: string }[]).map(({ name }) => name);
    },
  };
}

interface Options {
  /** Kills, with -9, the process that came first, which writes nothing itself, after so many answers. */
  readonly killAfter?: number;
}

/** @throws when what is there cannot be read any more */
export async function writeTogether(memory: Memory, { killAfter }: Options = {}): Promise<Tally> {
  const open: StdioTalk[] = [];
  const begin = async (name: string): Promise<StdioTalk> => {
    const talk = await overStdio("2025-11-25", { ...memory.program, name });
    open.push(talk);
    return talk;
  };
  try {
    const first = await begin("first");
    await memory.prepare(first);
    const writers = await Promise.all(Array.from({ length: PROCESSES }, (_, index) => begin(`writer-${index}`)));
    let answered = 0;
    const startedAtMs = performance.now();
    const writes = writers.flatMap((writer, index) =>
      Array.from({ length: WRITES_EACH }, async (_, n) => {
        const { isError } = await memory.write(writer, `note ${index}.${n}`);
        if (!isError) answered += 1;
        if (answered === killAfter) process.kill(first.pid, "SIGKILL");
      }),
    );
    await Promise.allSettled(writes);
    const durationMs = performance.now() - startedAtMs;
    const notes = await memory.notes(await begin("reader"));
    const kept = new Set(notes);
    return { sent: writes.length, answered, kept: kept.size, doubled: notes.length - kept.size, durationMs };
  } finally {
    await Promise.all(open.map((talk) => talk.close().catch(() => undefined)));
  }
}
