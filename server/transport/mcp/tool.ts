/**
 * What a tool is: its words for the host, the scope it needs, and a function from checked arguments to a result.
 *
 * Invariants (MCP):
 *  1. Arguments are checked by the tool's own schema; a misspelt one is refused, not ignored.
 *  2. A result is the same JSON twice, structured and as text: some hosts show their model only the one, some the other.
 *  3. A refusal is a result too, with the code of the error table, what happened and what to do next.
 *
 * Not here: which tools there are (tools.ts), the protocol (mcp-server.ts).
 */
import type { CallToolResult, ContentBlock, Tool as ListedTool, ToolAnnotations } from "@modelcontextprotocol/server";
import type { z } from "zod";
import type { Scope } from "../../../shared/permission.ts";
import type { Clock } from "../../clock.ts";
import { checkedArguments } from "./arguments.ts";
import type { Contexts } from "./contexts.ts";
import { portableSchema } from "./portable-schema.ts";

/** One call, and what it may use. */
export interface ToolCall {
  readonly contexts: Contexts;
  readonly clock: Clock;
  /** The host does not wait for the answer any more. */
  readonly signal: AbortSignal;
  /** Tells the host that the call is alive, when it asked for that. */
  readonly progress: ((message: string) => void) | undefined;
}

export interface Tool {
  readonly name: string;
  /** What a token must allow for it to be listed and called. */
  readonly scope: Scope;
  /** It counts for as many requests as reading the past does. */
  readonly isHeavy: boolean;
  /** As tools/list tells it. */
  readonly listed: () => ListedTool;
  /** @throws {ServiceError} */
  readonly call: (call: ToolCall, args: unknown) => Promise<CallToolResult>;
}

interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly scope: Scope;
  readonly isHeavy?: boolean;
  readonly annotations: ToolAnnotations;
  readonly input: Input;
  readonly output: Output;
  readonly run: (call: ToolCall, args: z.output<Input>) => Promise<z.input<Output>>;
  /** What goes with the result, beside its text. */
  readonly links?: (result: z.input<Output>) => readonly ContentBlock[];
}

export const READS: ToolAnnotations = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};
/** Every version is kept: a write destroys nothing. */
export const WRITES: ToolAnnotations = { ...READS, readOnlyHint: false, idempotentHint: false };

export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
): Tool {
  const { name, title, description, scope, isHeavy = false, annotations, input, output, run, links } = definition;
  return {
    name,
    scope,
    isHeavy,
    listed: () => ({
      name,
      title,
      description,
      inputSchema: portableSchema(input, "input"),
      outputSchema: portableSchema(output, "output"),
      annotations,
    }),
    call: async (call, args) => {
      const result = await run(call, checkedArguments(name, input, args));
      return {
        content: [{ type: "text", text: JSON.stringify(result) }, ...(links?.(result) ?? [])],
        structuredContent: result,
      };
    },
  };
}
