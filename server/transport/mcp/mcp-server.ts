/**
 * One MCP server: of a session (2025 revisions, stdio) or of a single request (2026-07-28), over the contexts of its caller.
 *
 * Invariants (MCP):
 *  1. What there is is the same on every connection; it differs only by what the caller's token allows.
 *  2. Nothing of an unexpected error leaves the process; it is logged.
 *
 * Built on the SDK's `Server`: what `McpServer` adds converts every schema anew for each instance, and an instance lives for
 * one request here.
 *
 * Not here: what a tool, resource or prompt does, HTTP and stdio.
 */
import { ProtocolError, ProtocolErrorCode, Server } from "@modelcontextprotocol/server";
import type {
  CallToolResult,
  HandlerResultTypeMap,
  RequestTypeMap,
  ServerCapabilities,
  ServerContext,
  ServerOptions,
} from "@modelcontextprotocol/server";
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import { PRODUCT_VERSION } from "../../../shared/protocol/version.ts";
import type { Clock } from "../../clock.ts";
import { complete } from "./completions.ts";
import type { Contexts } from "./contexts.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { getPrompt, PROMPTS } from "./prompts.ts";
import { refusalOf } from "./refusal.ts";
import { listResources, readResource, TEMPLATES } from "./resources.ts";
import type { Tool, ToolCall } from "./tool.ts";
import { toolsOf } from "./tools.ts";
import type { Toolset } from "./tools.ts";

type Handled =
  | "tools/list"
  | "tools/call"
  | "resources/list"
  | "resources/templates/list"
  | "resources/read"
  | "prompts/list"
  | "prompts/get"
  | "completion/complete";

export type Handlers = {
  readonly [Method in Handled]: (
    request: RequestTypeMap[Method],
    context: ServerContext,
  ) => HandlerResultTypeMap[Method] | Promise<HandlerResultTypeMap[Method]>;
};

/** Puts more around what there is: fixtures of the conformance suite, in tests. */
export interface Extension {
  readonly capabilities?: ServerCapabilities;
  readonly options?: ServerOptions;
  readonly handlers: (product: Handlers) => Handlers;
  readonly isSubscribable?: (uri: string) => boolean;
}

export interface Surface {
  readonly clock: Clock;
  readonly toolset: Toolset;
  /** Failures that are nobody's request. */
  readonly onError: (error: unknown) => void;
  readonly extension?: Extension;
}

/** Of this request, or of the session: the caller may come with a newer token each time. */
export type ContextsOf = (context: ServerContext) => Contexts;

const MINUTE_MS = 60_000;
const LISTED_MS = 5 * MINUTE_MS;
const CACHE_HINTS: NonNullable<ServerOptions["cacheHints"]> = {
  // it differs by what the token allows
  "tools/list": { ttlMs: LISTED_MS, cacheScope: "private" },
  "prompts/list": { ttlMs: LISTED_MS, cacheScope: "public" },
  "resources/templates/list": { ttlMs: LISTED_MS, cacheScope: "public" },
  "server/discover": { ttlMs: LISTED_MS, cacheScope: "public" },
};

const CAPABILITIES: ServerCapabilities = {
  tools: {},
  resources: { subscribe: true, listChanged: true },
  prompts: {},
  completions: {},
};

const SERVER_INFO = { name: "mcp-context-manager", title: "Context manager", version: PRODUCT_VERSION };

export function createMcpServer(contextsOf: ContextsOf, surface: Surface): Server {
  const { extension } = surface;
  const server = new Server(SERVER_INFO, {
    instructions: INSTRUCTIONS,
    capabilities: { ...CAPABILITIES, ...extension?.capabilities },
    cacheHints: CACHE_HINTS,
    ...extension?.options,
  });
  const product = handlersOf(contextsOf, surface);
  const handlers = extension?.handlers(product) ?? product;
  server.setRequestHandler("tools/list", handlers["tools/list"]);
  server.setRequestHandler("tools/call", handlers["tools/call"]);
  server.setRequestHandler("resources/list", handlers["resources/list"]);
  server.setRequestHandler("resources/templates/list", handlers["resources/templates/list"]);
  server.setRequestHandler("resources/read", handlers["resources/read"]);
  server.setRequestHandler("prompts/list", handlers["prompts/list"]);
  server.setRequestHandler("prompts/get", handlers["prompts/get"]);
  server.setRequestHandler("completion/complete", handlers["completion/complete"]);
  server.onerror = surface.onError;
  return server;
}

function handlersOf(contextsOf: ContextsOf, surface: Surface): Handlers {
  const tools = toolsOf(surface.toolset);
  const { onError } = surface;
  return {
    "tools/list": (_request, context) => {
      const { scopes } = contextsOf(context).self;
      return { tools: tools.filter(({ scope }) => scopes.includes(scope)).map(({ listed }) => listed()) };
    },
    "tools/call": ({ params }, context) => {
      const tool = tools.find(({ name }) => name === params.name);
      if (tool === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${params.name}`);
      return callTool(tool, params.arguments, { call: callOf(contextsOf(context), context, surface), onError });
    },
    "resources/list": ({ params }, context) => answered(onError, listResources(contextsOf(context), params?.cursor)),
    "resources/templates/list": () => ({ resourceTemplates: [...TEMPLATES] }),
    "resources/read": ({ params }, context) => answered(onError, readResource(contextsOf(context), params.uri)),
    "prompts/list": () => ({ prompts: [...PROMPTS] }),
    "prompts/get": ({ params }, context) => answered(onError, getPrompt(contextsOf(context), params)),
    "completion/complete": ({ params }, context) => answered(onError, complete(contextsOf(context), params)),
  };
}

interface Calling {
  readonly call: ToolCall;
  readonly onError: (error: unknown) => void;
}

async function callTool(tool: Tool, args: unknown, { call, onError }: Calling): Promise<CallToolResult> {
  try {
    if (!call.contexts.self.scopes.includes(tool.scope)) throw lacking(tool);
    return await tool.call(call, args);
  } catch (error) {
    if (toServiceError(error).code === "INTERNAL") onError(error);
    return refusalOf(error);
  }
}

function lacking({ name, scope }: Tool): ServiceError {
  return new ServiceError("FORBIDDEN", `${name} needs a token with the scope ${scope}. Ask for one, or read only.`);
}

function callOf(contexts: Contexts, { mcpReq }: ServerContext, { clock, onError }: Surface): ToolCall {
  const { signal, _meta: meta, notify } = mcpReq;
  const progressToken = meta?.progressToken;
  if (progressToken === undefined) return { contexts, clock, signal, progress: undefined };
  let progress = 0;
  return {
    contexts,
    clock,
    signal,
    progress: (message) => {
      progress += 1;
      // a host that went away does not hear it
      notify({ method: "notifications/progress", params: { progressToken, progress, message } }).catch(onError);
    },
  };
}

/** Outside of tools a refusal is an error of the protocol, with our code in its data. */
export async function answered<Result>(onError: (error: unknown) => void, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    const { code, message, retry, details, status } = toServiceError(error);
    if (code === "INTERNAL") onError(error);
    const kind = status >= 500 ? ProtocolErrorCode.InternalError : ProtocolErrorCode.InvalidParams;
    throw new ProtocolError(kind, `${code}: ${message}`, { code, retry, details });
  }
}
