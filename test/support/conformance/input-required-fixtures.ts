/**
 * Fixtures of the conformance suite that answer with questions, and go on when the call comes again with the answers: how
 * revision 2026-07-28 asks the client something.
 */
import { acceptedContent, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import type {
  CallToolResult,
  GetPromptResult,
  InputRequest,
  InputRequiredResult,
  RequestStateCodec,
  ServerContext,
} from "@modelcontextprotocol/server";
import { isJsonObject } from "../../../shared/json.ts";
import { question } from "./elicitation-fixtures.ts";
import type { FixtureTool } from "./fixtures.ts";

const text = (said: string): CallToolResult => ({ content: [{ type: "text", text: said }] });

const STRING = { type: "string" } as const;
const BOOLEAN = { type: "boolean" } as const;

function asking(message: string, name: string, type: typeof STRING | typeof BOOLEAN = STRING): InputRequest {
  return inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [name]: type }, required: [name] },
  });
}

const answerOf = ({ mcpReq }: ServerContext, key: string, name: string): unknown =>
  acceptedContent(mcpReq.inputResponses, key)?.[name];

export function inputRequiredTools(states: RequestStateCodec): Readonly<Record<string, FixtureTool>> {
  /** Asks until the answer to `key` has a `name`; the state says that the first round was ours. */
  const confirmed = (said: string): FixtureTool => ({
    call: async (_args, context) => {
      if (context.mcpReq.requestState() !== undefined && answerOf(context, "confirm", "ok") !== undefined)
        return text(said);
      return inputRequired({
        inputRequests: { confirm: asking("Please confirm", "ok", BOOLEAN) },
        requestState: await states.mint("confirming"),
      });
    },
  });
  return {
    test_input_required_result_elicitation: {
      call: (_args, context) => {
        const name = answerOf(context, "user_name", "name");
        if (typeof name === "string") return text(`Hello, ${name}!`);
        return inputRequired({ inputRequests: { user_name: asking("What is your name?", "name") } });
      },
    },
    test_input_required_result_sampling: {
      call: (_args, { mcpReq }) => {
        const answer = inputResponse(mcpReq.inputResponses, "capital_question");
        if (answer.kind !== "missing") return text(JSON.stringify(answer));
        const asked = inputRequired.createMessage(question("What is the capital of France?"));
        return inputRequired({ inputRequests: { capital_question: asked } });
      },
    },
    test_input_required_result_list_roots: {
      call: (_args, { mcpReq }) => {
        const answer = inputResponse(mcpReq.inputResponses, "client_roots");
        if (answer.kind !== "missing") return text(JSON.stringify(answer));
        return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
      },
    },
    test_input_required_result_request_state: confirmed("state-ok"),
    test_input_required_result_tampered_state: confirmed("untampered"),
    test_input_required_result_multiple_inputs: {
      call: async (_args, context) => {
        const { inputResponses } = context.mcpReq;
        const keys = ["user_name", "greeting", "client_roots"];
        if (keys.every((key) => inputResponse(inputResponses, key).kind !== "missing")) return text("all three");
        return inputRequired({
          inputRequests: {
            user_name: asking("What is your name?", "name"),
            greeting: inputRequired.createMessage(question("Generate a greeting", 50)),
            client_roots: inputRequired.listRoots(),
          },
          requestState: await states.mint("three questions"),
        });
      },
    },
    test_input_required_result_multi_round: {
      call: async (_args, context) => {
        if (answerOf(context, "step2", "color") !== undefined) return text("two rounds");
        const [key, said, name] =
          answerOf(context, "step1", "name") === undefined
            ? (["step1", "Step 1: What is your name?", "name"] as const)
            : (["step2", "Step 2: What is your favorite color?", "color"] as const);
        return inputRequired({
          inputRequests: { [key]: asking(said, name) },
          requestState: await states.mint(key),
        });
      },
    },
    test_input_required_result_capabilities: {
      call: (_args, { mcpReq }) => {
        // the envelope's type has no members
        const envelope: Readonly<Record<string, unknown>> = { ...mcpReq.envelope };
        const capabilities: unknown = envelope["io.modelcontextprotocol/clientCapabilities"];
        const has = (name: string): boolean => isJsonObject(capabilities) && name in capabilities;
        const inputRequests: Record<string, InputRequest> = {};
        if (has("sampling")) inputRequests["ask"] = inputRequired.createMessage(question("Anything"));
        if (has("elicitation")) inputRequests["name"] = asking("What is your name?", "name");
        return Object.keys(inputRequests).length === 0 ? text("nothing to ask") : inputRequired({ inputRequests });
      },
    },
  };
}

export function promptWithInput(
  _args: Readonly<Record<string, string>>,
  context: ServerContext,
): GetPromptResult | InputRequiredResult {
  const given = answerOf(context, "user_context", "context");
  if (typeof given === "string") return { messages: [{ role: "user", content: { type: "text", text: given } }] };
  return inputRequired({
    inputRequests: { user_context: asking("What context should the prompt use?", "context") },
  });
}
