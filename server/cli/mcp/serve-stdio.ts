/**
 * MCP on stdin and stdout, for one host: what `mcm mcp` runs. Nothing is opened or asked before the host's first call, so that
 * a process that a host starts only to see what it is costs nobody anything.
 *
 * Invariants (HUB):
 *  1. stdout carries the protocol and nothing else.
 *  2. The process ends when its host closes stdin, after everything that it accepted is on disk.
 *
 * Not here: the command line (commands/mcp.ts), tools (transport/mcp).
 */
import { StdioServerTransport, serveStdio as serve } from "@modelcontextprotocol/server/stdio";
import { isJSONRPCRequest, parseJSONRPCMessage, ProtocolError } from "@modelcontextprotocol/server";
import type { JSONRPCMessage, Server, ServerContext, Transport } from "@modelcontextprotocol/server";
import { isJsonObject } from "../../../shared/json.ts";
import { parseActor } from "../../../shared/ids.ts";
import { SCOPES } from "../../../shared/permission.ts";
import { systemClock } from "../../clock.ts";
import type { Contexts, Self } from "../../transport/mcp/contexts.ts";
import { answered, createMcpServer } from "../../transport/mcp/mcp-server.ts";
import type { Surface } from "../../transport/mcp/mcp-server.ts";
import { ResourceSubscriptions } from "../../transport/mcp/resource-subscriptions.ts";
import { followUris, LISTEN, withoutHidden } from "../../transport/mcp/subscriptions.ts";
import type { UriFeed } from "../../transport/mcp/subscriptions.ts";
import type { Toolset } from "../../transport/mcp/tools.ts";
import type { Line } from "./line.ts";
import { FilteredTransport } from "./filtered-transport.ts";
import { RemoteContexts } from "./remote-contexts.ts";

export interface StdioOptions {
  readonly toolset: Toolset;
  /** Who asks, when that is known before the host said its name. */
  readonly self: Self | undefined;
  /** Makes the way to the server; called at most once. */
  readonly reach: (self: Self) => Line & { close?(): Promise<void> };
  /** Failures that the host is not told. */
  readonly onError: (error: unknown) => void;
  /** Calls `stop` when the process is asked to end. */
  readonly onStop: (stop: () => void) => () => void;
}

/** Resolves when the host has gone and everything is on disk. */
export async function serveStdio(options: StdioOptions): Promise<void> {
  const host = new StdioHost(options);
  const stdio = new StdioServerTransport();
  const transport = new FilteredTransport(stdio, async (message) => host.filter(message, stdio));
  const handle = serve(({ era }) => host.serverOf(era), { transport, onerror: options.onError });
  const forget = options.onStop(() => void handle.close().catch(options.onError));
  await transport.ended;
  await handle.close();
  await host.close();
  forget();
}

class StdioHost {
  readonly #options: StdioOptions;
  readonly #surface: Surface;
  /** What streams of revision 2026-07-28 subscribe to. */
  readonly #listened = new Set<string>();
  #server: Server | undefined;
  #line: ReturnType<StdioOptions["reach"]> | undefined;
  #contexts: Contexts | undefined;
  #subscriptions: ResourceSubscriptions | undefined;
  #feed: UriFeed | undefined;

  constructor(options: StdioOptions) {
    this.#options = options;
    this.#surface = { clock: systemClock, toolset: options.toolset, onError: options.onError };
  }

  /** The era is the host's: it opens with one or the other, and stays with it. */
  serverOf(era: "legacy" | "modern"): Server {
    const contextsOf = (context: ServerContext): Contexts => this.#contextsFor(() => nameIn(context.mcpReq.envelope));
    const server = createMcpServer(contextsOf, this.#surface);
    this.#server = server;
    if (era === "legacy")
      this.#subscriptions = new ResourceSubscriptions({ server, surface: this.#surface, contextsOf });
    return server;
  }

  /** The SDK answers subscriptions/listen by itself, and passes on what the server then tells: it sees what there is of it. */
  async filter(message: JSONRPCMessage, transport: Transport): Promise<JSONRPCMessage | undefined> {
    if (!isJSONRPCRequest(message) || message.method !== LISTEN) return message;
    const contexts = this.#contextsFor(() => nameIn(message.params?._meta));
    try {
      const { onError } = this.#options;
      const readable = parseJSONRPCMessage(await answered(onError, withoutHidden(message, contexts)));
      await this.#listen(readable, contexts);
      return readable;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const { code, message: text, data } = error;
      await transport.send({ jsonrpc: "2.0", id: message.id, error: { code, message: text, data } });
      return undefined;
    }
  }

  /** Acknowledged is what is told of from then on. */
  async #listen(message: JSONRPCMessage, contexts: Contexts): Promise<void> {
    const { notifications } = ("params" in message ? message.params : undefined) ?? {};
    const wanted = isJsonObject(notifications) ? notifications["resourceSubscriptions"] : undefined;
    if (Array.isArray(wanted)) for (const uri of wanted) if (typeof uri === "string") this.#listened.add(uri);
    this.#feed ??= followUris({
      contexts,
      clock: systemClock,
      subscribed: () => this.#listened,
      tell: (event) => {
        const sent =
          event.kind === "resource_updated"
            ? this.#server?.sendResourceUpdated({ uri: event.uri })
            : this.#server?.sendResourceListChanged();
        sent?.catch(this.#options.onError);
      },
    });
    await this.#feed.began;
  }

  async close(): Promise<void> {
    this.#feed?.stop();
    this.#subscriptions?.stop();
    await this.#line?.close?.();
  }

  #contextsFor(nameOf: () => string | undefined): Contexts {
    if (this.#contexts !== undefined) return this.#contexts;
    const { self = selfOf(nameOf() ?? this.#server?.getClientVersion()?.name), reach } = this.#options;
    this.#line = reach(self);
    this.#contexts = new RemoteContexts(this.#line, self);
    return this.#contexts;
  }
}

const CLIENT_INFO = "io.modelcontextprotocol/clientInfo";

function nameIn(meta: unknown): string | undefined {
  const info = isJsonObject(meta) ? meta[CLIENT_INFO] : undefined;
  const name = isJsonObject(info) ? info["name"] : undefined;
  return typeof name === "string" ? name : undefined;
}

/** Two agents of one host are two: they must not take each other's locks, nor miss each other's changes. */
function selfOf(host = "agent"): Self {
  const name = host.replaceAll(/[\p{Cc}\p{Cs}]/gu, "").slice(0, 100) || "agent";
  return { actor: parseActor(`${name}:${process.pid}`), scopes: SCOPES };
}
