/**
 * From what happens to contexts to what subscribers are told: URIs that have something new, gathered for a moment.
 *
 * Invariants (MCP-9):
 *  1. Whatever happens within mcpNotifyMs is told once for each URI.
 *  2. Only what the caller may read when it happens is told: the watch decides it, event by event.
 *  3. What the caller may not read now is not acknowledged: the SDK would acknowledge anything.
 *
 * Not here: which URIs somebody subscribed to.
 */
import type { ServerEvent } from "@modelcontextprotocol/server";
import { ServiceError } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { EventView } from "../../../shared/protocol/rest-events.ts";
import type { Clock } from "../../clock.ts";
import type { Contexts, Watcher } from "./contexts.ts";
import { contextUri, INDEX_URI, locksUri, parseResourceUri } from "./uris.ts";

/** The request of 2026-07-28 that opens a stream of what is subscribed to. */
export const LISTEN = "subscriptions/listen";

interface UriFeedOptions {
  readonly contexts: Contexts;
  readonly clock: Clock;
  readonly tell: (event: ServerEvent) => void;
  /** What is subscribed to, for when events were missed. */
  readonly subscribed?: () => Iterable<string>;
  readonly ended?: (error: ServiceError) => void;
}

export interface UriFeed {
  readonly stop: () => void;
  /** Resolves when what happens is told from now on, or nothing will be. */
  readonly began: Promise<void>;
}

/** What stands for the list of resources among URIs. */
const LIST = "";

export function followUris({ contexts, clock, tell, subscribed = () => [], ended }: UriFeedOptions): UriFeed {
  const due = new Set<string>();
  let cancel: (() => void) | undefined;
  const flush = (): void => {
    cancel = undefined;
    const uris = [...due];
    due.clear();
    for (const uri of uris) tell(uri === LIST ? { kind: "resources_list_changed" } : { kind: "resource_updated", uri });
  };
  let begin = (): void => undefined;
  const began = new Promise<void>((resolve) => (begin = resolve));
  const watcher: Watcher = {
    began: begin,
    tell: (event) => {
      for (const uri of event.kind === "missed" ? [...subscribed(), LIST] : urisOf(event)) due.add(uri);
      cancel ??= clock.setTimer(LIMITS.mcpNotifyMs, flush);
    },
    ended: (error) => {
      begin();
      ended?.(error);
    },
  };
  const unwatch = contexts.watch(watcher);
  const stop = (): void => {
    begin();
    unwatch();
    cancel?.();
  };
  return { stop, began };
}

function urisOf({ kind, id }: Exclude<EventView, { kind: "missed" }>): readonly string[] {
  switch (kind) {
    case "changed":
      return [contextUri(id)];
    case "locks":
      return [locksUri(id)];
    case "created":
    case "access":
      return [INDEX_URI, LIST];
    default:
      return [contextUri(id), locksUri(id), INDEX_URI, LIST];
  }
}

/** May the caller subscribe to it now? Other resources than these never change, or not by themselves. */
export async function isSubscribable(contexts: Contexts, uri: string): Promise<boolean> {
  const name = parseResourceUri(uri);
  if (name?.kind === "index") return true;
  if (name?.kind !== "context" && name?.kind !== "locks") return false;
  return contexts.summary(name.id).then(
    () => true,
    () => false,
  );
}

/**
 * A request to listen, without the resources that its caller may not subscribe to.
 * @throws {ServiceError} LIMIT_EXCEEDED
 */
export async function withoutHidden(
  message: { readonly params?: unknown },
  contexts: Contexts,
  isExtra: (uri: string) => boolean = () => false,
): Promise<object> {
  const { params } = message;
  const filter = isJsonObject(params) ? params["notifications"] : undefined;
  const wanted = isJsonObject(filter) ? filter["resourceSubscriptions"] : undefined;
  if (!isJsonObject(params) || !isJsonObject(filter) || !Array.isArray(wanted)) return message;
  if (wanted.length > LIMITS.mcpSubscriptionsMax) throw tooMany();
  const verdicts = await Promise.all(
    wanted.map(async (uri) => typeof uri !== "string" || isExtra(uri) || isSubscribable(contexts, uri)),
  );
  const resourceSubscriptions = wanted.filter((_uri, index) => verdicts[index] === true);
  return { ...message, params: { ...params, notifications: { ...filter, resourceSubscriptions } } };
}

function tooMany(): ServiceError {
  return new ServiceError(
    "LIMIT_EXCEEDED",
    `One stream subscribes to ${LIMITS.mcpSubscriptionsMax} resources at most. Open another, or name fewer.`,
    { details: { limit: LIMITS.mcpSubscriptionsMax } },
  );
}
