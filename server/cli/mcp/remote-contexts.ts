/**
 * Contexts on a server, over its REST interface: what the MCP surface of `mcm mcp` works with.
 *
 * Invariants (HUB):
 *  1. Every write is repeatable: changes have an idempotency key, locks and contexts an id, before they are sent first. So a
 *     server that dies in between loses nothing and doubles nothing.
 *  2. Feeds go on after a lost connection where they were; who watches all contexts is told that it missed something.
 *
 * Not here: rules (the server's), tools (transport/mcp).
 */
import { randomUUID } from "node:crypto";
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import type { ErrorCode } from "../../../shared/errors.ts";
import { sameJson } from "../../../shared/json-equality.ts";
import type { AclView, ShareBody } from "../../../shared/protocol/rest-access.ts";
import type { EventView } from "../../../shared/protocol/rest-events.ts";
import { eventSchema } from "../../../shared/protocol/rest-events.ts";
import type { DiffView, RevertResult } from "../../../shared/protocol/rest-history.ts";
import type { HeldLockView, LockView } from "../../../shared/protocol/rest-locks.ts";
import { changeSchema, problemSchema } from "../../../shared/protocol/rest.ts";
import type {
  ChangeList,
  ChangeResult,
  ChangeView,
  ContextInfo,
  ContextList,
  ContextView,
  CreateRequest,
} from "../../../shared/protocol/rest.ts";
import type {
  Acquire,
  ChangesQuery,
  ContextChange,
  Contexts,
  Find,
  FollowFrom,
  Restore,
  Self,
  Watcher,
} from "../../transport/mcp/contexts.ts";
import { readEvents } from "../../../client/event-stream.ts";
import type { ServerEvent } from "../../../client/event-stream.ts";
import { isPassing, persistently } from "./line.ts";
import type { Attempt, Line } from "./line.ts";

export class RemoteContexts implements Contexts {
  readonly self: Self;
  readonly #line: Line;

  constructor(line: Line, self: Self) {
    this.#line = line;
    this.self = self;
  }

  find(query: Find): Promise<ContextList> {
    return this.#call((client) => client.list({ ...query }));
  }

  create(request: CreateRequest): Promise<ContextView> {
    const { id = randomUUID(), ...rest } = request;
    return this.#call(async (client, isAgain) => {
      const creating = client.create({ ...drafted(rest), id });
      if (!isAgain) return creating;
      // made by the try before, of which the answer was lost
      return creating.catch(unlessIts("ALREADY_EXISTS", async () => this.#own(await client.read(id, {}), request)));
    });
  }

  summary(id: string): Promise<ContextInfo> {
    return this.#call((client) => client.read(id, { depth: 1 }));
  }

  read(id: string, part: { readonly path: string; readonly version?: number }): Promise<ContextView> {
    return this.#call((client) => client.read(id, { ...part }));
  }

  change(id: string, { lockTokens, idempotencyKey = randomUUID(), ...rest }: ContextChange): Promise<ChangeResult> {
    const { changes, ifVersion, message } = rest;
    const body = { changes: [...changes], ifVersion, ifVersionScope: undefined, message };
    return this.#call((client) => client.change(id, body, { idempotencyKey, lockTokens: lockTokens?.join(",") }));
  }

  delete(id: string): Promise<void> {
    return this.#call((client, isAgain) => {
      const deleting = client.delete(id);
      return isAgain ? deleting.catch(unlessIts("CONTEXT_NOT_FOUND", async () => undefined)) : deleting;
    });
  }

  changes(id: string, { newestFirst = false, ...query }: ChangesQuery): Promise<ChangeList> {
    const order = newestFirst ? "newest" : undefined;
    return this.#call((client) => client.changes(id, { ...query, order }));
  }

  async *follow(id: string, { since: start, path, signal }: FollowFrom): AsyncGenerator<ChangeView> {
    let since = start;
    const feed = (client: Line["client"]) =>
      client.follow(id, { since, path: path === "" ? undefined : path }, { lastEventId: "", signal });
    for await (const { event, data } of this.#events(feed, signal)) {
      if (event !== "change") continue;
      const change = changeSchema.parse(JSON.parse(data));
      since = change.version;
      yield change;
    }
  }

  diff(id: string, range: { readonly from: number; readonly path: string }): Promise<DiffView> {
    return this.#call((client) => client.diff(id, { ...range }));
  }

  /** Sent again it finds nothing left to restore. */
  restore(id: string, { version, path, message, lockTokens }: Restore): Promise<RevertResult> {
    const body = { version, path, message, dryRun: undefined };
    return this.#call((client) => client.restore(id, body, { lockTokens: lockTokens?.join(",") }));
  }

  share(id: string, grants: ShareBody["grants"]): Promise<AclView> {
    return this.#call((client) => client.share(id, { grants }));
  }

  async locks(id: string): Promise<readonly LockView[]> {
    return (await this.#call((client) => client.locks(id))).locks;
  }

  async heldLocks(): Promise<readonly HeldLockView[]> {
    return (await this.#call((client) => client.heldLocks())).locks;
  }

  acquireLock(id: string, { path, ttlMs, waitMs, purpose, signal }: Acquire): Promise<LockView> {
    // asked for again by its id it is the same lock
    const body = { lockId: randomUUID(), paths: [path], mode: undefined, ttlMs, waitMs, purpose };
    return this.#call((client) => client.lock(id, body, signal), signal);
  }

  renewLock(id: string, lockId: string, ttlMs: number): Promise<LockView> {
    return this.#call((client) => client.renewLock(id, lockId, { ttlMs }));
  }

  releaseLock(id: string, lockId: string): Promise<void> {
    return this.#call((client, isAgain) => {
      const releasing = client.unlock(id, lockId);
      return isAgain ? releasing.catch(unlessIts("LOCK_NOT_FOUND", async () => undefined)) : releasing;
    });
  }

  watch(watcher: Watcher): () => void {
    const stop = new AbortController();
    const watch = async (): Promise<void> => {
      const feed = async (client: Line["client"]) => {
        const events = await client.events(stop.signal);
        watcher.began();
        return events;
      };
      for await (const { event, data } of this.#events(feed, stop.signal)) {
        const told = event === "" ? undefined : eventOf(event, data);
        if (told !== undefined) watcher.tell(told);
      }
    };
    watch().catch((error: unknown) => {
      if (!stop.signal.aborted) watcher.ended(toServiceError(error));
    });
    return () => stop.abort();
  }

  #call<Result>(attempt: Attempt<Result>, signal?: AbortSignal): Promise<Result> {
    return persistently(this.#line, attempt, signal);
  }

  /** Another one of that name is no answer to ours. @throws {ServiceError} ALREADY_EXISTS */
  #own(context: ContextView, { id, data = {} }: CreateRequest): ContextView {
    const isUntouched = context.createdBy === this.self.actor && context.version === 0;
    if (id === undefined || (isUntouched && sameJson(context.data, data, { left: Infinity }))) return context;
    throw new ServiceError("ALREADY_EXISTS", "A context with this id exists. Choose another id, or work in that one.");
  }

  /** Blocks of a feed, across lost connections; after one, a block `missed` comes first. @throws {ServiceError} what will stay */
  async *#events(
    feed: (client: Line["client"]) => Promise<AsyncIterable<Uint8Array>>,
    signal: AbortSignal,
  ): AsyncGenerator<ServerEvent> {
    for (let failures = 0; !signal.aborted;) {
      try {
        const body = await feed(this.#line.client);
        if (failures > 0) yield { event: "missed", data: "{}", lastEventId: "" };
        for await (const event of unlessProblem(readEvents(body))) {
          failures = 0;
          yield event;
        }
      } catch (error) {
        if (signal.aborted) return;
        // a connection that was cut is an error of fetch's
        if (error instanceof ServiceError && !isPassing(error)) throw error;
      }
      failures += 1;
      if (!signal.aborted) await this.#line.recover(failures, signal);
    }
  }
}

/** The end of a feed says why. @throws {ServiceError} */
async function* unlessProblem(events: AsyncIterable<ServerEvent>): AsyncGenerator<ServerEvent> {
  for await (const event of events) {
    if (event.event === "problem") throw problemOf(event.data);
    yield event;
  }
}

/** Members that are undefined are said to be: JSON leaves them out. */
function drafted({ type, name, description, tags, data }: Omit<CreateRequest, "id">) {
  return { type, name, description, tags, data };
}

function unlessIts<Result>(code: ErrorCode, instead: () => Promise<Result>): (error: unknown) => Promise<Result> {
  return (error) => {
    if (toServiceError(error).code === code) return instead();
    throw error;
  };
}

/** Undefined for a kind that a newer server may have. */
function eventOf(kind: string, data: string): EventView | undefined {
  const facts: unknown = JSON.parse(data);
  return eventSchema.safeParse({ kind, ...(typeof facts === "object" ? facts : {}) }).data;
}

function problemOf(data: string): ServiceError {
  const { code, detail, details = {} } = problemSchema.parse(JSON.parse(data));
  // the schema has exactly the codes of the table
  return new ServiceError(code as ErrorCode, detail, { details });
}
