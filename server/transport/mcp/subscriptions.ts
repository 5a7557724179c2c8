/**
 * From what happens to contexts to what subscribers are told: URIs that have something new, gathered for a moment.
 *
 * Invariants (MCP-9):
 *  1. Whatever happens within mcpNotifyMs is told once for each URI.
 *  2. Only what the caller may read when it happens is told: the watch decides it, event by event.
 *
 * Not here: which URIs somebody subscribed to.
 */
import type { ServerEvent } from "@modelcontextprotocol/server";
import type { ServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { EventView } from "../../../shared/protocol/rest-events.ts";
import type { Clock } from "../../clock.ts";
import type { Contexts, Watcher } from "./contexts.ts";
import { contextUri, INDEX_URI, locksUri, parseResourceUri } from "./uris.ts";

interface UriFeedOptions {
  readonly contexts: Contexts;
  readonly clock: Clock;
  readonly tell: (event: ServerEvent) => void;
  /** What is subscribed to, for when events were missed. */
  readonly subscribed?: () => Iterable<string>;
  readonly ended?: (error: ServiceError) => void;
}

/** What stands for the list of resources among URIs. */
const LIST = "";

/** Tells until the returned function is called. */
export function followUris({ contexts, clock, tell, subscribed = () => [], ended }: UriFeedOptions): () => void {
  const due = new Set<string>();
  let cancel: (() => void) | undefined;
  const flush = (): void => {
    cancel = undefined;
    const uris = [...due];
    due.clear();
    for (const uri of uris) tell(uri === LIST ? { kind: "resources_list_changed" } : { kind: "resource_updated", uri });
  };
  const watcher: Watcher = {
    tell: (event) => {
      for (const uri of event.kind === "missed" ? [...subscribed(), LIST] : urisOf(event)) due.add(uri);
      cancel ??= clock.setTimer(LIMITS.mcpNotifyMs, flush);
    },
    ended: (error) => ended?.(error),
  };
  const unwatch = contexts.watch(watcher);
  return () => {
    unwatch();
    cancel?.();
  };
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
