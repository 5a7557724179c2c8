/**
 * Prompts: what a person picks in a host to put an agent to work in a context.
 */
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { GetPromptRequest, GetPromptResult, Prompt } from "@modelcontextprotocol/server";
import { LIMITS } from "../../../shared/limits.ts";
import type { Contexts } from "./contexts.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { outlineOf } from "./outline.ts";
import { cutPatch } from "./patch-budget.ts";
import { contextUri } from "./uris.ts";
import { changeOf } from "./views.ts";

const JOIN = "join_context";
const CATCH_UP = "catch_up";
/** How much of the context an agent is shown when it joins. */
const JOIN_DEPTH = 3;
const JOIN_CHARS = 8000;

export const PROMPTS: readonly Prompt[] = [
  {
    name: JOIN,
    title: "Join a shared context",
    description: "Learn what is in a context and work in it with the others",
    arguments: [
      { name: "id", description: "Context id", required: true },
      { name: "task", description: "What to do there" },
    ],
  },
  {
    name: CATCH_UP,
    title: "Catch up on a context",
    description: "Sum up what others changed since a version",
    arguments: [
      { name: "id", description: "Context id", required: true },
      { name: "since_version", description: "The version you last saw", required: true },
    ],
  },
];

export async function getPrompt(
  contexts: Contexts,
  { name, arguments: given = {} }: GetPromptRequest["params"],
): Promise<GetPromptResult> {
  const prompt = PROMPTS.find((one) => one.name === name);
  if (prompt === undefined) throw invalid(`Unknown prompt: ${name}`);
  const missing = prompt.arguments?.find(
    (argument) => argument.required === true && given[argument.name] === undefined,
  );
  if (missing !== undefined) throw invalid(`The prompt ${name} needs the argument ${missing.name}`);
  const { id = "", task, since_version: since = "" } = given;
  return name === JOIN ? join(contexts, id, task) : catchUp(contexts, id, since);
}

async function join(contexts: Contexts, id: string, task: string | undefined): Promise<GetPromptResult> {
  const { data, version } = await contexts.read(id, { path: "" });
  const { value } = outlineOf(data, "", { depth: JOIN_DEPTH, chars: JOIN_CHARS });
  const resource = { uri: contextUri(id), mimeType: "application/json", text: JSON.stringify(value) };
  const work = task ?? "ask me what to do, then write the plan into the context";
  const text = `You share the context "${id}", now at version ${version}, with other agents and people. ${INSTRUCTIONS}\n\nYour task: ${work}.`;
  return {
    messages: [
      { role: "user", content: { type: "resource", resource } },
      { role: "user", content: { type: "text", text } },
    ],
  };
}

async function catchUp(contexts: Contexts, id: string, since: string): Promise<GetPromptResult> {
  if (!/^\d{1,15}$/.test(since)) throw invalid("since_version must be a version, a whole number");
  const from = Number(since);
  const { to, changes } = await contexts.diff(id, { from, path: "" });
  const list = await contexts.changes(id, { since: from, limit: LIMITS.mcpHistoryLimitMax });
  const history = list.changes.filter(({ version }) => version <= to).map(changeOf);
  const text = `Sum up for me, by author, what changed in the context "${id}" from version ${from} to ${to}, and what I should react to.\n${JSON.stringify({ ...cutPatch(changes), history })}`;
  return { messages: [{ role: "user", content: { type: "text", text } }] };
}

function invalid(message: string): ProtocolError {
  return new ProtocolError(ProtocolErrorCode.InvalidParams, message);
}
