/** Tools called without a protocol: over the real service, as one caller or another. */
import { LocalContexts } from "../../server/transport/mcp/local-contexts.ts";
import type { Contexts } from "../../server/transport/mcp/contexts.ts";
import { refusalOf } from "../../server/transport/mcp/refusal.ts";
import { TOOLS } from "../../server/transport/mcp/tools.ts";
import { systemClock } from "../../server/clock.ts";
import type { Clock } from "../../server/clock.ts";
import type { Service } from "../../server/context-service.ts";
import type { Identity } from "../../server/state/access/identity.ts";
import { unverified } from "../../server/state/access/identity.ts";
import { parseActor } from "../../shared/ids.ts";

export type Answer = Record<string, unknown>;

interface CallOptions {
  readonly signal?: AbortSignal;
  readonly progress?: (message: string) => void;
}

export class ToolCaller {
  readonly contexts: Contexts;
  readonly #clock: Clock;

  constructor(service: Service, who: string | Identity, clock: Clock = systemClock) {
    const identity = typeof who === "string" ? unverified(parseActor(who)) : who;
    this.contexts = new LocalContexts(service, { identity, origin: "mcp" });
    this.#clock = clock;
  }

  /** The whole result, a refusal too. */
  async result(name: string, args: object = {}, { signal, progress }: CallOptions = {}) {
    const tool = TOOLS.find((one) => one.name === name);
    if (tool === undefined) throw new Error(`no tool ${name}`);
    const call = {
      contexts: this.contexts,
      clock: this.#clock,
      signal: signal ?? new AbortController().signal,
      progress,
    };
    return tool.call(call, args).catch(refusalOf);
  }

  /** The structured content. */
  async call(name: string, args: object = {}, options: CallOptions = {}): Promise<Answer> {
    const { structuredContent, content, isError } = await this.result(name, args, options);
    if (isError === true || structuredContent === undefined) throw new Error(JSON.stringify(content));
    return structuredContent as Answer;
  }

  /** The text of a refusal. */
  async refusal(name: string, args: object = {}, options: CallOptions = {}): Promise<string> {
    const { content, isError, structuredContent } = await this.result(name, args, options);
    const [first] = content;
    if (isError !== true || structuredContent !== undefined || first?.type !== "text") throw new Error("it was done");
    return first.text;
  }
}
