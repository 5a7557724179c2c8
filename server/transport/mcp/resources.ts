/**
 * Resources: contexts as something that a host can list, read and subscribe to.
 *
 * Invariants (MCP):
 *  1. What the caller may not read looks like what does not exist.
 *  2. A large context is cut as a read cuts it, and says so by its marks.
 *
 * Not here: the URIs (uris.ts), who is told of changes (subscriptions.ts).
 */
import { ResourceNotFoundError } from "@modelcontextprotocol/server";
import type {
  ListResourcesResult,
  ReadResourceResult,
  Resource,
  ResourceTemplateType,
} from "@modelcontextprotocol/server";
import { toServiceError } from "../../../shared/errors.ts";
import type { Json } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { ContextInfo } from "../../../shared/protocol/rest.ts";
import type { Contexts } from "./contexts.ts";
import { GUIDE } from "./instructions.ts";
import { outlineOf } from "./outline.ts";
import { contextUri, GUIDE_URI, INDEX_URI, parseResourceUri } from "./uris.ts";
import type { ResourceName } from "./uris.ts";
import { changeOf, lockOf, summaryOf } from "./views.ts";

const JSON_TYPE = "application/json";
const HOUR_MS = 3_600_000;

const FIXED: readonly Resource[] = [
  {
    uri: INDEX_URI,
    name: "index",
    title: "Contexts",
    description: "Every context that you can read; subscribe to hear of new and deleted ones",
    mimeType: JSON_TYPE,
  },
  {
    uri: GUIDE_URI,
    name: "guide",
    title: "How to work in shared contexts",
    description: "A short guide for agents",
    mimeType: "text/markdown",
  },
];

export const TEMPLATES: readonly ResourceTemplateType[] = [
  {
    uriTemplate: "context://contexts/{id}",
    name: "context",
    title: "Context",
    description: "Its data now; subscribe to hear of changes",
    mimeType: JSON_TYPE,
  },
  {
    uriTemplate: "context://contexts/{id}/versions/{version}",
    name: "context-version",
    title: "Context at a version",
    description: "Its data as it was",
    mimeType: JSON_TYPE,
  },
  {
    uriTemplate: "context://contexts/{id}/changes/{since}",
    name: "context-changes",
    title: "Changes since a version",
    description: "RFC 6902 patch and history",
    mimeType: JSON_TYPE,
  },
  {
    uriTemplate: "context://contexts/{id}/at/{+path}",
    name: "context-part",
    title: "Part of a context",
    description: "What is at a JSON Pointer, written without its first slash",
    mimeType: JSON_TYPE,
  },
  {
    uriTemplate: "context://contexts/{id}/locks",
    name: "context-locks",
    title: "Locks of a context",
    description: "Who holds what, until when and why; subscribe to hear of changes",
    mimeType: JSON_TYPE,
  },
];

/** A page of contexts; what is fixed comes first. */
export async function listResources(contexts: Contexts, cursor: string | undefined): Promise<ListResourcesResult> {
  const page = await contexts.find({ limit: LIMITS.mcpFindLimitMax, ...(cursor === undefined ? {} : { cursor }) });
  return {
    resources: [...(cursor === undefined ? FIXED : []), ...page.contexts.map(resourceOf)],
    ...(page.next === undefined ? {} : { nextCursor: page.next }),
  };
}

function resourceOf({ id, name, description, updatedAt }: ContextInfo): Resource {
  return {
    uri: contextUri(id),
    name: id,
    ...(name === undefined ? {} : { title: name }),
    ...(description === undefined ? {} : { description }),
    mimeType: JSON_TYPE,
    annotations: { lastModified: updatedAt, audience: ["assistant", "user"] },
  };
}

/** @throws {ServiceError}; ResourceNotFoundError */
export async function readResource(contexts: Contexts, uri: string): Promise<ReadResourceResult> {
  const name = parseResourceUri(uri);
  if (name === undefined) throw new ResourceNotFoundError(uri);
  try {
    return await contentsOf(contexts, uri, name);
  } catch (error) {
    const { code } = toServiceError(error);
    if (code.endsWith("_NOT_FOUND")) throw new ResourceNotFoundError(uri);
    throw error;
  }
}

async function contentsOf(contexts: Contexts, uri: string, name: ResourceName): Promise<ReadResourceResult> {
  switch (name.kind) {
    case "index": {
      const { contexts: found, next } = await contexts.find({ limit: LIMITS.listLimitMax });
      const more = next === undefined ? {} : { next_cursor: next };
      return json(uri, { contexts: found.map(summaryOf), ...more });
    }
    case "guide":
      return {
        contents: [{ uri, mimeType: "text/markdown", text: GUIDE }],
        ttlMs: HOUR_MS,
        cacheScope: "public",
      };
    case "context":
      return json(uri, await dataAt(contexts, name.id, ""));
    case "part":
      return json(uri, await dataAt(contexts, name.id, name.path));
    case "version":
      // it never changes
      return { ...json(uri, await dataAt(contexts, name.id, "", name.version)), ttlMs: HOUR_MS, cacheScope: "private" };
    case "changes": {
      const { to, changes } = await contexts.diff(name.id, { from: name.version, path: "" });
      const list = await contexts.changes(name.id, { since: name.version, limit: LIMITS.mcpHistoryLimitMax });
      const history = list.changes.filter(({ version }) => version <= to).map(changeOf);
      return json(uri, { since_version: name.version, version: to, patch: changes, history });
    }
    default: {
      const locks = await contexts.locks(name.id);
      return json(uri, { locks: locks.map((lock) => lockOf(lock, contexts.self.actor)) });
    }
  }
}

async function dataAt(contexts: Contexts, id: string, path: string, version?: number): Promise<Json> {
  const { data } = await contexts.read(id, { path, ...(version === undefined ? {} : { version }) });
  return outlineOf(data, path, { depth: LIMITS.depthMax, chars: LIMITS.mcpResourceCharsMax }).value;
}

function json(uri: string, value: unknown): ReadResourceResult {
  return { contents: [{ uri, mimeType: JSON_TYPE, text: JSON.stringify(value) }] };
}
