/**
 * Fixtures of the conformance suite that ask the client something in the middle of a call, as the 2025 revisions do it.
 */
import { inputRequired } from "@modelcontextprotocol/server";
import type { CallToolResult, ElicitResult, Tool } from "@modelcontextprotocol/server";
import type { FixtureTool } from "./fixtures.ts";

const text = (said: string): CallToolResult => ({ content: [{ type: "text", text: said }] });
const told = ({ action, content }: ElicitResult): string =>
  `action=${action}, content=${JSON.stringify(content ?? {})}`;
const argument = (name: string): Tool["inputSchema"] => ({
  type: "object",
  properties: { [name]: { type: "string" } },
  required: [name],
});
const titled = (names: readonly string[]) => names.map((name, index) => ({ const: `value${index + 1}`, title: name }));
const OPTIONS = ["option1", "option2", "option3"];

export const elicitationTools: Readonly<Record<string, FixtureTool>> = {
  test_sampling: {
    inputSchema: argument("prompt"),
    call: async ({ prompt }, { mcpReq }) => {
      const answer = await mcpReq.requestSampling({
        messages: [{ role: "user", content: { type: "text", text: String(prompt) } }],
        maxTokens: 100,
      });
      return text(`LLM response: ${JSON.stringify(answer.content)}`);
    },
  },
  test_elicitation: {
    inputSchema: argument("message"),
    call: async ({ message }, { mcpReq }) => {
      const answer = await mcpReq.elicitInput({
        message: String(message),
        requestedSchema: {
          type: "object",
          properties: {
            username: { type: "string", description: "User's response" },
            email: { type: "string", description: "User's email address" },
          },
          required: ["username", "email"],
        },
      });
      return text(`User response: ${told(answer)}`);
    },
  },
  test_elicitation_sep1034_defaults: {
    call: async (_args, { mcpReq }) => {
      const answer = await mcpReq.elicitInput({
        message: "Check these",
        requestedSchema: {
          type: "object",
          properties: {
            name: { type: "string", default: "John Doe" },
            age: { type: "integer", default: 30 },
            score: { type: "number", default: 95.5 },
            status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
            verified: { type: "boolean", default: true },
          },
        },
      });
      return text(`Elicitation completed: ${told(answer)}`);
    },
  },
  test_elicitation_sep1330_enums: {
    call: async (_args, { mcpReq }) => {
      const answer = await mcpReq.elicitInput({
        message: "Choose",
        requestedSchema: {
          type: "object",
          properties: {
            untitledSingle: { type: "string", enum: OPTIONS },
            titledSingle: { type: "string", oneOf: titled(["First Option", "Second Option", "Third Option"]) },
            legacyEnum: {
              type: "string",
              enum: ["opt1", "opt2", "opt3"],
              enumNames: ["Option One", "Option Two", "Option Three"],
            },
            untitledMulti: { type: "array", items: { type: "string", enum: OPTIONS } },
            titledMulti: {
              type: "array",
              items: { anyOf: titled(["First Choice", "Second Choice", "Third Choice"]) },
            },
          },
        },
      });
      return text(`Elicitation completed: ${told(answer)}`);
    },
  },
  test_streaming_elicitation: {
    call: (_args, { mcpReq }) => {
      if (mcpReq.inputResponses !== undefined) return text("streamed");
      const requestedSchema = { type: "object", properties: { go: { type: "boolean" } } } as const;
      return inputRequired({ inputRequests: { go: inputRequired.elicit({ message: "Go on?", requestedSchema }) } });
    },
  },
  test_missing_capability: {
    call: (_args, { mcpReq }) =>
      mcpReq.inputResponses === undefined
        ? inputRequired({ inputRequests: { answer: inputRequired.createMessage(question("Anything")) } })
        : text("answered"),
  },
};

export function question(said: string, maxTokens = 100) {
  return { messages: [{ role: "user" as const, content: { type: "text" as const, text: said } }], maxTokens };
}
