/**
 * context_create and context_update.
 *
 * Not here: what the operations do (server/state/json).
 */
import { z } from "zod";
import type { JsonOp } from "../../../../shared/change.ts";
import { ServiceError, toServiceError } from "../../../../shared/errors.ts";
import type { JsonObject } from "../../../../shared/json.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { jsonOpSchema } from "../../../../shared/protocol/rest.ts";
import { anyJson, id, lockToken, message, path, summary, version } from "../fields.ts";
import { lockTokensOf } from "../lock-tokens.ts";
import { defineTool, WRITES } from "../tool.ts";
import { summaryOf } from "../views.ts";

/** Not jsonObject of the REST fields: that has no schema to convert. */
const data = z.record(z.string(), anyJson);

export const createContext = defineTool({
  name: "context_create",
  title: "Create a context",
  description:
    'Create a shared context, a live JSON document. Choose a readable id so that others can open it by name; if_exists:"return" makes the call safe to repeat.',
  scope: "contexts:write",
  annotations: { ...WRITES, idempotentHint: true },
  input: z.strictObject({
    id: id.optional().describe("A random one is made when omitted"),
    name: z.string().max(LIMITS.nameCharsMax).optional(),
    description: z.string().max(LIMITS.descriptionCharsMax).optional(),
    type: z.string().max(LIMITS.nameCharsMax).optional().describe("Name of a registered schema"),
    tags: z.array(z.string().min(1).max(LIMITS.tagCharsMax)).max(LIMITS.tagsMax).optional(),
    data: data.optional().describe('Initial content, an object; {"$text": "…"} in it makes a text that many can edit'),
    if_exists: z.enum(["error", "return"]).default("error"),
  }),
  output: summary.extend({ created: z.boolean() }),
  run: async ({ contexts }, { if_exists: ifExists, data: content, ...given }) => {
    const request = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    try {
      // it came as JSON
      const created = await contexts.create({ ...request, data: (content ?? {}) as JsonObject });
      return { ...summaryOf(created), created: true };
    } catch (error) {
      const isThere = toServiceError(error).code === "ALREADY_EXISTS";
      if (!isThere || ifExists === "error" || given.id === undefined) throw error;
      return { ...summaryOf(await contexts.summary(given.id)), created: false };
    }
  },
  links: ({ uri, id: name }) => [
    { type: "resource_link", uri, name, mimeType: "application/json", description: "Live data; subscribe for updates" },
  ],
});

const OPS = [
  "add",
  "replace",
  "remove",
  "move",
  "copy",
  "test",
  "merge",
  "increment",
  "edit_text",
  "append_text",
] as const satisfies readonly JsonOp["op"][];

/** Flat: which members an operation needs is checked when it is known which it is. */
const op = z.looseObject({
  op: z.enum(OPS),
  path: path.describe('JSON Pointer; "/list/-" appends, "" is all'),
  value: anyJson.optional().describe("add, replace, test: any JSON. merge: an object, null deletes a key"),
  from: z.string().optional().describe("move, copy"),
  by: z.number().optional().describe("increment"),
  old: z.string().optional().describe("edit_text: passage that occurs exactly once"),
  new: z.string().optional().describe("edit_text: what replaces it"),
  text: z.string().optional().describe("append_text"),
});

export const updateContext = defineTool({
  name: "context_update",
  title: "Edit a context",
  description:
    "Apply edits, all or none. Concurrent edits by others merge. Ops: add, replace, remove, move, copy, test (RFC 6902), merge (RFC 7396), increment (counter), edit_text (replace one passage), append_text. Pass if_version when the edit is right only for what you read: VERSION_CONFLICT says that somebody changed what it touches since. Pass lock_token when you hold a lock there.",
  scope: "contexts:write",
  annotations: WRITES,
  input: z.strictObject({
    id,
    ops: z.array(op).min(1).max(LIMITS.mcpOpsMax),
    if_version: version.optional(),
    lock_token: lockToken.optional(),
    message: message.optional(),
    idempotency_key: z
      .string()
      .min(1)
      .max(LIMITS.idempotencyKeyCharsMax)
      .optional()
      .describe("Repeated with it, the call is applied once"),
  }),
  output: z.object({
    id: z.string(),
    version,
    paths: z.array(z.string()),
    replayed: z.boolean().describe("The key had been used: this is the first answer again"),
  }),
  run: async ({ contexts }, { id: contextId, ops, if_version, lock_token, message: why, idempotency_key }) => {
    const result = await contexts.change(contextId, {
      changes: ops.map(checkedOp),
      ...(if_version === undefined ? {} : { ifVersion: if_version }),
      ...lockTokensOf(lock_token),
      ...(why === undefined ? {} : { message: why }),
      ...(idempotency_key === undefined ? {} : { idempotencyKey: idempotency_key }),
    });
    return { id: contextId, version: result.version, paths: result.paths, replayed: result.replayed };
  },
});

function checkedOp(given: z.output<typeof op>, index: number): JsonOp {
  const parsed = jsonOpSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({
    at: `/${["ops", index, ...issue.path].join("/")}`,
    message: issue.message,
  }));
  const told = issues.map((issue) => `${issue.at}: ${issue.message}`).join("; ");
  throw new ServiceError("INVALID_REQUEST", `Not valid for ${given.op}: ${told}. Nothing was applied.`, {
    details: { issues },
  });
}
