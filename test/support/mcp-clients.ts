/**
 * The official MCP clients behind one face: of SDK 2 in both generations of the protocol, and of SDK 1.
 *
 * Everything that one of them opened ends with `close`.
 */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import type { StdioServerParameters } from "@modelcontextprotocol/client/stdio";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as FirstStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as FirstHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";

export const GENERATIONS = ["2026-07-28", "2025-11-25", "SDK 1"] as const;
export type Generation = (typeof GENERATIONS)[number];

/** Stands for "the list of resources changed" among the URIs that were told. */
export const LIST = "(list)";

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: { readonly message?: string | undefined }) => void;
}

export interface ToolAnswer {
  readonly isError: boolean;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface McpTalk {
  readonly instructions: string | undefined;
  tools(): Promise<readonly string[]>;
  call(name: string, args?: object, options?: CallOptions): Promise<ToolAnswer>;
  resources(): Promise<readonly string[]>;
  templates(): Promise<readonly string[]>;
  /** The text of the first part. */
  read(uri: string): Promise<string>;
  completions(uri: string, value: string): Promise<readonly string[]>;
  prompts(): Promise<readonly string[]>;
  prompt(name: string, args: Record<string, string>): Promise<string>;
  /** Of resources, and of the list. Resolves, to the URIs that were accepted, when they are told of from now on. */
  follow(...uris: string[]): Promise<readonly string[]>;
  /** The next `count` that are told, in order of the alphabet. */
  told(count: number): Promise<readonly string[]>;
  /** What was told and not asked for by `told` yet. */
  readonly untold: readonly string[];
  /** Resolves when the server ended the stream of `follow`. Of 2026-07-28 only. */
  readonly cut: Promise<void>;
  close(): Promise<void>;
}

export interface HttpTarget {
  /** http://127.0.0.1:port */
  readonly url: string;
  readonly token?: string;
  readonly name?: string;
}

export function overHttp(generation: Generation, { url, token, name = "tester" }: HttpTarget): Promise<McpTalk> {
  const address = new URL(token === undefined ? `${url}/mcp?actor=${encodeURIComponent(name)}` : `${url}/mcp`);
  const requestInit = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } };
  return generation === "SDK 1"
    ? first(new FirstHttp(address, { requestInit }), name)
    : second(new StreamableHTTPClientTransport(address, { requestInit }), { generation, name });
}

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly name?: string;
}

export interface StdioTalk extends McpTalk {
  readonly pid: number;
}

export async function overStdio(generation: Generation, { name = "tester", ...program }: Program): Promise<StdioTalk> {
  const { command, args, env } = program;
  const parameters: StdioServerParameters = { command, args: [...args], env: { ...env }, stderr: "inherit" };
  if (generation === "SDK 1") {
    const transport = new FirstStdio(parameters);
    return Object.assign(await first(transport, name), { pid: transport.pid ?? 0 });
  }
  const transport = new StdioClientTransport(parameters);
  return Object.assign(await second(transport, { generation, name }), { pid: transport.pid ?? 0 });
}

/** What was told, and who waits for it. */
class Told {
  readonly untold: string[] = [];
  #arrived = (): void => {};

  push(uri: string): void {
    this.untold.push(uri);
    this.#arrived();
  }

  async take(count: number): Promise<readonly string[]> {
    while (this.untold.length < count) await new Promise<void>((resolve) => (this.#arrived = resolve));
    return this.untold.splice(0, count).toSorted();
  }
}

async function second(
  transport: StreamableHTTPClientTransport | StdioClientTransport,
  { generation, name }: { readonly generation: Exclude<Generation, "SDK 1">; readonly name: string },
): Promise<McpTalk> {
  const isModern = generation === "2026-07-28";
  const client = new Client(
    { name, version: "1" },
    { versionNegotiation: { mode: isModern ? { pin: generation } : "legacy" } },
  );
  const told = new Told();
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => told.push(params.uri));
  client.setNotificationHandler("notifications/resources/list_changed", () => told.push(LIST));
  await client.connect(transport);
  let cut = (): void => {};
  const isCut = new Promise<void>((resolve) => (cut = resolve));
  const listen = async (uris: string[]): Promise<readonly string[]> => {
    const subscription = await client.listen({ resourceSubscriptions: uris, resourcesListChanged: true });
    void subscription.closed.then((why) => (why === "local" ? undefined : cut()));
    return subscription.honoredFilter.resourceSubscriptions ?? [];
  };
  return talkOf(client, told, {
    call: (params, options) => client.callTool(params, options),
    follow: (uris) => (isModern ? listen(uris) : subscribed(client, uris)),
    cut: isCut,
    end: async () => {
      if (!isModern && transport instanceof StreamableHTTPClientTransport) await transport.terminateSession();
    },
  });
}

async function first(transport: FirstHttp | FirstStdio, name: string): Promise<McpTalk> {
  const client = new FirstClient({ name, version: "1" });
  const told = new Told();
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => told.push(params.uri));
  client.setNotificationHandler(ResourceListChangedNotificationSchema, () => told.push(LIST));
  await client.connect(transport);
  return talkOf(client, told, {
    call: (params, options) => client.callTool(params, undefined, options),
    follow: (uris) => subscribed(client, uris),
    cut: new Promise(() => {}),
    end: async () => {
      if (transport instanceof FirstHttp) await transport.terminateSession();
    },
  });
}

/** What both clients have. */
interface Official {
  getInstructions(): string | undefined;
  listTools(): Promise<{ readonly tools: readonly { readonly name: string }[] }>;
  listResources(): Promise<{ readonly resources: readonly { readonly uri: string }[] }>;
  listResourceTemplates(): Promise<{ readonly resourceTemplates: readonly { readonly uriTemplate: string }[] }>;
  readResource(params: { uri: string }): Promise<{ readonly contents: readonly object[] }>;
  subscribeResource(params: { uri: string }): Promise<unknown>;
  complete(params: {
    ref: { type: "ref/resource"; uri: string };
    argument: { name: string; value: string };
  }): Promise<{ readonly completion: { readonly values: readonly string[] } }>;
  listPrompts(): Promise<{ readonly prompts: readonly { readonly name: string }[] }>;
  getPrompt(params: {
    name: string;
    arguments: Record<string, string>;
  }): Promise<{ readonly messages: readonly { readonly content: object }[] }>;
  close(): Promise<void>;
}

interface Ways {
  readonly call: (
    params: { name: string; arguments: Record<string, unknown> },
    options: CallOptions,
  ) => Promise<object>;
  readonly follow: (uris: string[]) => Promise<readonly string[]>;
  readonly cut: Promise<void>;
  readonly end: () => Promise<void>;
}

async function subscribed(client: Pick<Official, "subscribeResource">, uris: string[]): Promise<readonly string[]> {
  const accepted = await Promise.all(
    uris.map((uri) =>
      client.subscribeResource({ uri }).then(
        () => [uri],
        () => [],
      ),
    ),
  );
  return accepted.flat();
}

function talkOf(client: Official, told: Told, ways: Ways): McpTalk {
  return {
    instructions: client.getInstructions(),
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options = {}) => answerOf(await ways.call({ name, arguments: { ...args } }, options)),
    resources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    templates: async () => (await client.listResourceTemplates()).resourceTemplates.map((one) => one.uriTemplate),
    read: async (uri) => textOf((await client.readResource({ uri })).contents[0]),
    completions: async (uri, value) =>
      (await client.complete({ ref: { type: "ref/resource", uri }, argument: { name: "id", value } })).completion
        .values,
    prompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    prompt: async (name, args) =>
      (await client.getPrompt({ name, arguments: args })).messages.map(({ content }) => textOf(content)).join("\n"),
    follow: (...uris) => ways.follow(uris),
    told: (count) => told.take(count),
    get untold() {
      return [...told.untold];
    },
    cut: ways.cut,
    close: async () => {
      await ways.end();
      await client.close();
    },
  };
}

function answerOf(result: object): ToolAnswer {
  const { isError = false, structuredContent = {}, content = [] } = result as Partial<ToolResult>;
  return { isError, data: structuredContent, text: textOf(content[0]) };
}

interface ToolResult {
  readonly isError: boolean;
  readonly structuredContent: Readonly<Record<string, unknown>>;
  readonly content: readonly object[];
}

function textOf(part: object | undefined): string {
  if (part !== undefined && "resource" in part && typeof part.resource === "object" && part.resource !== null)
    return textOf(part.resource);
  return part !== undefined && "text" in part ? String(part.text) : "";
}
