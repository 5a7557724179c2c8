/**
 * One context that is open in the panel, through the SDK as any client: its document, who is here, and what goes on.
 *
 * Invariants (PANEL):
 *  1. What comes from the server is drawn at most once a picture, however many changes it brings.
 *  2. Nothing grows with time: of what happened, only the newest is kept.
 *  3. Every edit is a change or a live edit of this client; a refusal is told, with its rule.
 *
 * Not here: the past (timeline.ts), locks, conflicts and refusals (their files).
 */
import { signal } from "@preact/signals-core";
import * as Y from "yjs";
import type { ChangeRecord, JsonOp } from "../../../shared/change.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { BlameLine } from "../../../shared/history.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import type { ContextAccess } from "../../context-access.ts";
import type { Context } from "../../context.ts";
import { Emitter } from "../../emitter.ts";
import type { Unsubscribe } from "../../emitter.ts";
import type { ContextStatus } from "../../replica-events.ts";
import { DocumentTree } from "./document-tree.ts";
import { LastWriters } from "./last-writer.ts";
import type { Machine, Stop } from "./machine.ts";
import type { Notices } from "./notices.ts";
import { problemOf } from "./problem.ts";
import type { Problem } from "./problem.ts";
import type { Link } from "./sign-in.ts";
import { kindOf, rootsOf, valueAt } from "./tree-values.ts";

/** Somebody who has the context open. */
export interface Person {
  /** Yjs client id: one for each open replica. */
  readonly id: number;
  readonly actor: string;
  /** Looks through a panel; at this path, if it says. */
  readonly isPanel: boolean;
  readonly path?: string;
}

/** The last change at a path that was seen coming. */
export interface Touch {
  readonly actor: string;
  readonly version: number;
  readonly atMs: number;
}

export type Opening =
  | { readonly is: "opening" }
  | { readonly is: "failed"; readonly problem: Problem }
  | { readonly is: "open"; readonly context: Context; readonly tree: DocumentTree };

type Happenings = {
  /** Durable changes, in order of version, as they come. */
  readonly changes: readonly [changes: readonly ChangeRecord[]];
  /** Of a lock, or of who waits for one. */
  readonly lock: readonly [];
  readonly conflict: readonly [];
  /** The document was replaced: editors bind anew. */
  readonly reset: readonly [];
  readonly refused: readonly [error: ServiceError];
};

interface OpenContextOptions {
  readonly machine: Machine;
  readonly link: Link;
  readonly notices: Notices;
}

const TOUCHES_MAX = 2000;

export class OpenContext {
  readonly id: string;
  readonly opening = signal<Opening>({ is: "opening" });
  readonly status = signal<ContextStatus>("offline");
  readonly version = signal(0);
  readonly access = signal<ContextAccess | undefined>(undefined);
  readonly people = signal<readonly Person[]>([]);
  /** Edits of ours that are not acknowledged yet. */
  readonly unsaved = signal(0);
  readonly selected = signal("");
  readonly happenings = new Emitter<Happenings>();
  readonly link: Link;
  readonly notices: Notices;
  readonly machine: Machine;
  readonly touches = new Map<string, Touch>();
  readonly writers: LastWriters;
  readonly #stops: (Stop | Unsubscribe)[] = [];
  #isClosed = false;
  #cancel: Stop | undefined;

  constructor(id: string, { machine, link, notices }: OpenContextOptions) {
    this.id = id;
    this.machine = machine;
    this.link = link;
    this.notices = notices;
    this.writers = new LastWriters(this, machine);
  }

  async open(): Promise<void> {
    this.opening.value = { is: "opening" };
    try {
      const context = await this.link.client.open(this.id);
      if (this.#isClosed) await context.close();
      else this.#follow(context);
    } catch (error) {
      if (!this.#isClosed) this.opening.value = { is: "failed", problem: problemOf(error) };
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    this.writers.stop();
    for (const stop of this.#stops.splice(0)) stop();
    const opening = this.opening.peek();
    if (opening.is !== "open") return;
    opening.tree.stop();
    await opening.context.close().catch((error: unknown) => this.notices.failed(error));
  }

  /** Shows others where we look. */
  select(path: string): void {
    this.selected.value = path;
    this.#context?.presence.set({ name: this.link.actor, app: "panel", at: path });
  }

  /** Selects what is there, wherever it lies. */
  reveal(path: string): void {
    this.tree?.reveal(path);
    this.select(path);
    this.writers.pointAt(path);
  }

  get tree(): DocumentTree | undefined {
    const opening = this.opening.peek();
    return opening.is === "open" ? opening.tree : undefined;
  }

  /** @returns the version, or undefined after telling why not */
  change(changes: readonly JsonOp[], message?: string): Promise<number | undefined> {
    return this.notices.tried(async () => {
      try {
        const { version } = await this.context.update(changes, message === undefined ? {} : { message });
        return version;
      } catch (error) {
        if (error instanceof ServiceError) this.happenings.emit("refused", error);
        throw error;
      }
    });
  }

  set(path: string, value: Json): Promise<number | undefined> {
    return this.change([{ op: "replace", path, value }]);
  }

  /** Last writers of a value: one line for each value or run of text below. @throws {ServiceError} PATH_NOT_FOUND, UNREACHABLE */
  async blame(path: string): Promise<readonly BlameLine[]> {
    return (await this.context.blame(path)).lines;
  }

  /** The live text at a path, if one is there. */
  textAt(path: string): Y.Text | undefined {
    const value = this.#context && valueAt(rootsOf(this.#context.doc), path);
    return value instanceof Y.Text && kindOf(value) === "text" ? value : undefined;
  }

  /** @throws {ServiceError} CLOSED when it is not open */
  get context(): Context {
    const context = this.#context;
    if (context === undefined) throw new ServiceError("CLOSED", "The context is not open. Open it again to go on.");
    return context;
  }

  get #context(): Context | undefined {
    const opening = this.opening.peek();
    return opening.is === "open" ? opening.context : undefined;
  }

  #follow(context: Context): void {
    const tree = new DocumentTree(() => rootsOf(context.doc), this.machine.frame);
    const { happenings } = this;
    this.#stops.push(
      context.subscribe("", ({ paths, changes }) => {
        tree.changed(paths);
        this.writers.changed(paths);
        if (changes.length > 0) this.#seen(changes);
        this.#soon();
      }),
      context.presence.subscribe(() => this.#soon()),
      context.on("status", () => this.#soon()),
      context.on("saved", () => this.#soon()),
      context.on("access", () => this.#soon()),
      context.on("lock", () => happenings.emit("lock")),
      context.on("lockQueue", () => happenings.emit("lock")),
      context.on("conflict", () => happenings.emit("conflict")),
      context.on("rejected", ({ error }) => {
        happenings.emit("refused", error);
        this.notices.failed(error);
      }),
      context.on("reset", () => {
        tree.changed([""]);
        this.writers.changed([""]);
        happenings.emit("reset");
        this.#soon();
      }),
      context.on("closed", (error) => {
        if (!this.#isClosed) this.opening.value = { is: "failed", problem: problemOf(error) };
      }),
    );
    this.opening.value = { is: "open", context, tree };
    this.select(this.selected.peek());
    this.#show();
  }

  #seen(changes: readonly ChangeRecord[]): void {
    for (const { actor, version, paths } of changes) {
      const touch = { actor, version, atMs: this.machine.nowMs() };
      for (const path of paths) {
        this.touches.delete(path);
        this.touches.set(path, touch);
      }
    }
    for (const path of this.touches.keys()) {
      if (this.touches.size <= TOUCHES_MAX) break;
      this.touches.delete(path);
    }
    this.happenings.emit("changes", changes);
  }

  #soon(): void {
    this.#cancel ??= this.machine.frame(() => {
      this.#cancel = undefined;
      this.#show();
    });
  }

  #show(): void {
    const context = this.#context;
    if (context === undefined) return;
    this.status.value = context.status;
    this.version.value = context.version;
    this.access.value = context.access;
    this.unsaved.value = context.unsaved.length;
    this.people.value = [...context.presence.get()].map(([id, state]) => personOf(id, state));
  }
}

function personOf(id: number, { actor, app, at }: JsonObject): Person {
  const isPanel = app === "panel";
  return {
    id,
    actor: typeof actor === "string" ? actor : "?",
    isPanel,
    ...(isPanel && typeof at === "string" && at !== "" ? { path: at } : {}),
  };
}
