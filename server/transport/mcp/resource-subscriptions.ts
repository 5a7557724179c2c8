/**
 * What one session of a 2025 revision subscribed to, and telling it.
 *
 * Invariants (MCP-9):
 *  1. A session is told of what it subscribed to, and that the list of resources changed, and of nothing else.
 *
 * Not here: revision 2026-07-28, where the SDK keeps the subscriptions of a stream.
 */
import { ResourceNotFoundError } from "@modelcontextprotocol/server";
import type { Server, ServerContext, ServerEvent } from "@modelcontextprotocol/server";
import { ServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Contexts } from "./contexts.ts";
import { answered } from "./mcp-server.ts";
import type { ContextsOf, Surface } from "./mcp-server.ts";
import { followUris, isSubscribable } from "./subscriptions.ts";
import type { UriFeed } from "./subscriptions.ts";

interface Options {
  readonly server: Server;
  readonly surface: Surface;
  readonly contextsOf: ContextsOf;
  /** What it follows ended by itself: its token does not hold any more, or the server stops. */
  readonly ended?: () => void;
}

export class ResourceSubscriptions {
  readonly #options: Options;
  readonly #uris = new Set<string>();
  #feed: UriFeed | undefined;

  /** Answers resources/subscribe and resources/unsubscribe of the server. */
  constructor(options: Options) {
    this.#options = options;
    const { server, surface, contextsOf } = options;
    server.setRequestHandler("resources/subscribe", async ({ params: { uri } }, context: ServerContext) => {
      await answered(surface.onError, this.#subscribe(uri, contextsOf(context)));
      return {};
    });
    server.setRequestHandler("resources/unsubscribe", ({ params: { uri } }) => {
      this.#uris.delete(uri);
      return {};
    });
  }

  /** Tells what happens, as far as `contexts` may see it. Resolves when it does. */
  async follow(contexts: Contexts): Promise<void> {
    const { surface, ended } = this.#options;
    this.#feed ??= followUris({
      contexts,
      clock: surface.clock,
      subscribed: () => this.#uris,
      tell: (event) => {
        this.#tell(event).catch(surface.onError);
      },
      ended: () => {
        this.#feed = undefined;
        ended?.();
      },
    });
    await this.#feed.began;
  }

  /** With another right from now on; what was about to be told is told. */
  refollow(contexts: Contexts): void {
    if (this.#feed === undefined) return;
    this.stop();
    void this.follow(contexts);
    for (const uri of this.#uris) this.#tell({ kind: "resource_updated", uri }).catch(this.#options.surface.onError);
  }

  stop(): void {
    this.#feed?.stop();
    this.#feed = undefined;
  }

  async #subscribe(uri: string, contexts: Contexts): Promise<void> {
    const { extension } = this.#options.surface;
    const isThere = extension?.isSubscribable?.(uri) === true || (await isSubscribable(contexts, uri));
    if (!isThere) throw new ResourceNotFoundError(uri);
    if (this.#uris.size >= LIMITS.mcpSubscriptionsMax && !this.#uris.has(uri)) throw tooMany();
    this.#uris.add(uri);
    await this.follow(contexts);
  }

  async #tell(event: ServerEvent): Promise<void> {
    const { server } = this.#options;
    if (event.kind === "resources_list_changed") await server.sendResourceListChanged();
    else if (event.kind === "resource_updated" && this.#uris.has(event.uri))
      await server.sendResourceUpdated({ uri: event.uri });
  }
}

function tooMany(): ServiceError {
  return new ServiceError(
    "LIMIT_EXCEEDED",
    `A session subscribes to ${LIMITS.mcpSubscriptionsMax} resources at most. Unsubscribe from some.`,
    { details: { limit: LIMITS.mcpSubscriptionsMax } },
  );
}
