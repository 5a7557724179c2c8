/** What the tools are to a host, and what they do with the real service behind them. */
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { ERROR_META } from "../../../server/transport/mcp/refusal.ts";
import { TOOLS, toolsOf } from "../../../server/transport/mcp/tools.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { bearer } from "../../support/callers.ts";
import { ToolCaller } from "../../support/mcp-tools.ts";
import type { Answer } from "../../support/mcp-tools.ts";
import { PLAN, startService } from "../../support/service-rig.ts";
import type { ServiceRig } from "../../support/service-rig.ts";

let rig: ServiceRig;
let ada: ToolCaller;
let bob: ToolCaller;

beforeEach(async () => {
  rig = await startService();
  ada = new ToolCaller(rig.guard, "ada");
  bob = new ToolCaller(rig.guard, "bob");
  await ada.call("context_create", {
    id: "plan",
    name: "Release plan",
    tags: ["release"],
    data: { title: "One", tasks: { t1: { title: "Ship it" } }, notes: { $text: "a fox, a dog" }, count: 1 },
  });
});

describe("what hosts see", () => {
  const listed = TOOLS.map((tool) => tool.listed());

  test("[MCP-1] the tools, in their order", () => {
    expect(listed.map(({ name }) => name).join(" ")).toBe(
      "context_find context_read context_changes context_wait context_history context_status context_create " +
        "context_update context_lock context_unlock context_restore context_share context_delete",
    );
    expect(toolsOf("core").map(({ name }) => name)).toEqual([
      "context_find",
      "context_read",
      "context_wait",
      "context_status",
      "context_create",
      "context_update",
      "context_lock",
      "context_unlock",
    ]);
  });

  test("[MCP-3] schemas are flat: objects and arrays with items, nothing that a host or model API refuses", () => {
    const faults: string[] = [];
    const walk = (value: Json | undefined, at: string): void => {
      if (Array.isArray(value)) value.forEach((one: Json, index) => walk(one, `${at}/${index}`));
      if (!isJsonObject(value)) return;
      for (const [key, inner] of Object.entries(value)) {
        const isName = at.endsWith("/properties");
        if (!isName && /^(\$ref|\$defs|oneOf|anyOf|allOf|pattern|format|propertyNames|\$schema)$/.test(key))
          faults.push(`${at}/${key}`);
        walk(inner, `${at}/${key}`);
      }
      if (Array.isArray(value["type"])) faults.push(`${at}: types`);
      if (value["type"] === "array" && value["items"] === undefined) faults.push(`${at}: no items`);
    };
    for (const { name, inputSchema, outputSchema } of listed) {
      walk(inputSchema as Json, `${name}/in`);
      walk(outputSchema as Json, `${name}/out`);
      expect([inputSchema.type, outputSchema?.["type"]]).toEqual(["object", "object"]);
    }
    expect(faults).toEqual([]);
  });

  test("[MCP-4] what they cost a model in tokens", () => {
    const cost = (tools: object) => encode(JSON.stringify(tools)).length;
    const shown = (set: "all" | "core") =>
      cost(
        toolsOf(set).map((tool) => {
          const { name, description, inputSchema } = tool.listed();
          return { name, description, inputSchema };
        }),
      );
    expect([shown("all"), shown("core"), cost(listed)]).toMatchInlineSnapshot(`
      [
        1991,
        1380,
        3959,
      ]
    `);
    expect(shown("all")).toBeLessThanOrEqual(2050);
    expect(shown("core")).toBeLessThanOrEqual(1450);
    expect(cost(listed)).toBeLessThanOrEqual(4100);
  });

  test("reads say that they only read, and only deleting says that it destroys", () => {
    const hints = listed.map(({ name, annotations }) => [
      name,
      annotations?.readOnlyHint,
      annotations?.destructiveHint,
    ]);
    const reading = /find|read|changes|wait|history|status/;
    expect(hints).toEqual(listed.map(({ name }) => [name, reading.test(name), name === "context_delete"]));
    expect(listed.every(({ annotations }) => annotations?.openWorldHint === false)).toBe(true);
  });
});

describe("arguments", () => {
  test("[MCP-2] a misspelt argument is refused, and what the tool takes is said", async () => {
    const said = await ada.refusal("context_update", { id: "plan", ops: [], ifVersion: 3 });
    expect(said).toMatch(/^INVALID_REQUEST: .*ifVersion.*It takes: id, ops, if_version, lock_token/s);
    expect(await ada.refusal("context_status", { verbose: true })).toMatch(/It takes: none/);
    expect(await ada.refusal("context_wait", { targets: [{ id: "plan" }] })).toMatch(/\/targets\/0\/since_version/);
  });

  test("[MCP-2] arrays and objects may come as their JSON text, a token as a number", async () => {
    const ops = JSON.stringify([{ op: "replace", path: "/title", value: "[not json]" }]);
    expect(await ada.call("context_update", { id: "plan", ops })).toMatchObject({ version: 1 });
    await ada.call("context_create", { id: "other", data: '{"a": 1}', tags: '["x"]' });
    const { lock_token: token } = await ada.call("context_lock", { id: "plan", path: "/tasks" });
    expect(await ada.call("context_unlock", { id: "plan", lock_token: Number(token) })).toMatchObject({
      released: true,
    });
    expect(await ada.call("context_read", { id: "plan", path: "/title" })).toMatchObject({ data: "[not json]" });
  });

  test("[MCP-2] what an operation lacks is said before anything is done", async () => {
    const ops = [
      { op: "replace", path: "/title", value: "Two" },
      { op: "edit_text", path: "/notes", old: "fox" },
    ];
    expect(await ada.refusal("context_update", { id: "plan", ops })).toMatch(/Not valid for edit_text: \/ops\/1\/new/);
    expect(await ada.call("context_read", { id: "plan", path: "/title" })).toMatchObject({ data: "One", version: 0 });
  });

  test.each([
    [LIMITS.mcpOpsMax, true],
    [LIMITS.mcpOpsMax + 1, false],
  ])("[MCP-2] %s operations in one call: %s", async (count, isTaken) => {
    const ops = Array.from({ length: count }, () => ({ op: "increment", path: "/count", by: 1 }));
    const { isError = false } = await ada.result("context_update", { id: "plan", ops });
    expect(isError).toBe(!isTaken);
  });
});

describe("results", () => {
  test("[MCP-5] the same JSON as text and as structured content, of the tool's output schema", async () => {
    const calls: [string, object][] = [
      ["context_find", { query: "fox" }],
      ["context_read", { id: "plan" }],
      ["context_lock", { id: "plan", path: "/title", purpose: "trying" }],
      ["context_status", {}],
      ["context_update", { id: "plan", ops: [{ op: "increment", path: "/count", by: 2 }], message: "more" }],
      ["context_changes", { id: "plan", since_version: 0 }],
      ["context_history", { id: "plan" }],
      ["context_wait", { targets: [{ id: "plan", since_version: 0 }], ignore_own: false }],
      ["context_restore", { id: "plan", version: 0, path: "/count" }],
      ["context_share", { id: "plan", grants: [{ principal: "bob", role: "writer", paths: ["/tasks"] }] }],
      ["context_create", { id: "plan", if_exists: "return" }],
      ["context_unlock", { id: "plan", lock_token: "1" }],
      ["context_delete", { id: "plan", confirm: "plan" }],
    ];
    expect(new Set(calls.map(([name]) => name)).size).toBe(TOOLS.length);
    for (const [name, args] of calls) {
      const { content, structuredContent, isError } = await ada.result(name, args);
      expect([name, isError]).toEqual([name, undefined]);
      expect(content[0]).toEqual({ type: "text", text: JSON.stringify(structuredContent) });
      const { properties } = TOOLS.find((tool) => tool.name === name)?.listed().outputSchema ?? {};
      // what is not named in it would be lost in hosts that show only what is
      const schema = { type: "object", properties, additionalProperties: false } as Parameters<
        typeof z.fromJSONSchema
      >[0];
      const checked = z.fromJSONSchema(schema).safeParse(structuredContent);
      expect([name, checked.error?.issues]).toEqual([name, undefined]);
    }
  });

  test("[MCP-5] a refusal has the code, what happened, the next tool, and the facts", async () => {
    await bob.call("context_update", { id: "plan", ops: [{ op: "replace", path: "/title", value: "Bob's" }] });
    const stale = { id: "plan", ops: [{ op: "replace", path: "/title", value: "Ada's" }], if_version: 0 };
    const { content, isError, structuredContent, _meta: meta } = await ada.result("context_update", stale);
    expect([isError, structuredContent]).toEqual([true, undefined]);
    const [first] = content;
    const text = first?.type === "text" ? first.text : "";
    expect(text).toMatch(/^VERSION_CONFLICT: "\/title" was changed by bob in version 1.* context_changes with/s);
    expect(text).toContain(`"value":"Bob's"`);
    expect(meta?.[ERROR_META]).toMatchObject({
      code: "VERSION_CONFLICT",
      retry: "changed",
      details: { currentVersion: 1, value: "Bob's" },
    });
  });

  test("[MCP-5] of an unexpected error nothing is told", async () => {
    const { contexts } = ada;
    contexts.read = () => Promise.reject(new Error("secret of the database"));
    const said = await ada.refusal("context_read", { id: "plan" });
    expect(said).toMatch(/^INTERNAL: /);
    expect(said).not.toContain("secret");
  });
});

describe("finding", () => {
  const found = (answer: Answer) => (answer as { contexts: { id: string; matches?: object[] }[] }).contexts;

  test("[MCP-7] by tags, in order of id, page by page", async () => {
    for (const id of ["a", "b", "c"]) await ada.call("context_create", { id, tags: ["x", id] });
    const first = await ada.call("context_find", { tags: ["x"], limit: 2 });
    expect([found(first).map(({ id }) => id), first["next_cursor"]]).toEqual([["a", "b"], "b"]);
    const rest = await ada.call("context_find", { tags: ["x"], limit: 2, cursor: "b" });
    expect([found(rest).map(({ id }) => id), rest["next_cursor"]]).toEqual([["c"], undefined]);
    expect(found(await ada.call("context_find", { tags: ["x", "b"] })).map(({ id }) => id)).toEqual(["b"]);
  });

  test("[MCP-7] in names, members and texts, with the places", async () => {
    await ada.call("context_create", {
      id: "zoo",
      name: "Foxes",
      data: { cats: [{ name: "Tom" }], deep: { foxhole: 1 } },
    });
    const answer = await ada.call("context_find", { query: "FOX" });
    expect(found(answer)).toEqual([
      expect.objectContaining({ id: "plan", matches: [{ path: "/notes", snippet: "a fox, a dog" }] }),
      expect.objectContaining({ id: "zoo", name: "Foxes", matches: [{ path: "/deep/foxhole", snippet: "foxhole" }] }),
    ]);
    expect(found(await ada.call("context_find", { query: "nowhere" }))).toEqual([]);
  });

  test("[MCP-7] one call looks at a bounded number of contexts, and says where to go on", async () => {
    const infos = Array.from({ length: LIMITS.mcpFindScanMax + 2 }, (_, n) => ({
      id: `c${String(n).padStart(5, "0")}`,
      tags: [],
      createdAt: "",
      createdBy: "ada",
      updatedAt: "",
      version: 0,
      epoch: 1,
    }));
    let reads = 0;
    const { contexts } = ada;
    contexts.find = async ({ cursor = "", limit }) => {
      const items = infos.filter(({ id }) => id > cursor).slice(0, limit);
      const last = items.at(-1)?.id;
      return { contexts: items, ...(last === infos.at(-1)?.id || last === undefined ? {} : { next: last }) };
    };
    contexts.read = async (id) => {
      reads += 1;
      const info = infos.find((one) => one.id === id);
      if (info === undefined) throw new Error(`no ${id}`);
      return { ...info, data: { said: id.endsWith("201") ? "needle" : "hay" } };
    };
    const first = await ada.call("context_find", { query: "needle" });
    expect([reads, first]).toEqual([LIMITS.mcpFindScanMax, { contexts: [], next_cursor: "c00199" }]);
    const next = await ada.call("context_find", { query: "needle", cursor: "c00199" });
    expect(found(next).map(({ id }) => id)).toEqual(["c00201"]);
    expect(next["next_cursor"]).toBeUndefined();
  });
});

describe("writing", () => {
  const titled = (value: string, more: object = {}) => ({
    id: "plan",
    ops: [{ op: "replace", path: "/title", value }],
    ...more,
  });

  test("[MCP-18] a lock holds, its token passes it, and others are told who has it and why", async () => {
    const lock = await ada.call("context_lock", { id: "plan", path: "/title", purpose: "rewording" });
    expect(lock).toMatchObject({ id: "plan", path: "/title", holder: "ada", purpose: "rewording" });
    expect(await bob.refusal("context_update", titled("Bob's"))).toMatch(
      /^LOCKED: ada holds a lock on \/title for "rewording"/,
    );
    expect(await ada.refusal("context_update", titled("Ada's"))).toMatch(/^LOCKED: .*pass its lock_token/s);
    expect(await ada.call("context_update", titled("Ada's", { lock_token: lock["lock_token"] }))).toMatchObject({
      version: 1,
    });
    expect(await bob.call("context_read", { id: "plan", path: "/title" })).toMatchObject({
      locks: [expect.not.objectContaining({ lock_token: expect.anything() })],
    });
    const { your_locks: held } = await ada.call("context_status");
    expect(held).toEqual([expect.objectContaining({ id: "plan", lock_token: lock["lock_token"] })]);
    expect(
      await ada.call("context_lock", { id: "plan", lock_token: lock["lock_token"], ttl_seconds: 60 }),
    ).toMatchObject({
      fencing: lock["fencing"],
    });
    expect(await bob.call("context_unlock", { id: "plan", lock_token: lock["lock_token"] })).toMatchObject({
      released: false,
      reason: expect.stringContaining("You hold no lock"),
    });
    await ada.call("context_unlock", { id: "plan", lock_token: lock["lock_token"] });
    expect(await ada.refusal("context_update", titled("late", { lock_token: lock["lock_token"] }))).toMatch(
      /^FENCE_STALE: /,
    );
  });

  test("[MCP-18] a key makes a call repeatable, and the history says by which door it came and why", async () => {
    const call = titled("Two", { idempotency_key: "k1", message: "because" });
    expect(await ada.call("context_update", call)).toMatchObject({ version: 1, replayed: false });
    expect(await ada.call("context_update", call)).toMatchObject({ version: 1, replayed: true });
    const { history } = await bob.call("context_history", { id: "plan" });
    expect(history).toEqual([
      expect.objectContaining({ version: 1, by: "ada", via: "mcp", message: "because", paths: ["/title"] }),
    ]);
  });

  test("[MCP-18] a precondition speaks of what the call touches", async () => {
    await bob.call("context_update", { id: "plan", ops: [{ op: "increment", path: "/count", by: 1 }] });
    expect(await ada.call("context_update", titled("Two", { if_version: 0 }))).toMatchObject({ version: 2 });
    expect(await ada.refusal("context_update", titled("Three", { if_version: 1 }))).toMatch(/^VERSION_CONFLICT: /);
  });

  test("[MCP-18] a part is restored, and what others wrote elsewhere stays", async () => {
    await ada.call("context_update", titled("Two"));
    await bob.call("context_update", { id: "plan", ops: [{ op: "remove", path: "/tasks/t1" }] });
    expect(await ada.call("context_restore", { id: "plan", version: 0, path: "/tasks" })).toEqual({
      id: "plan",
      version: 3,
    });
    expect(await ada.call("context_read", { id: "plan" })).toMatchObject({
      data: { title: "Two", tasks: { t1: { title: "Ship it" } } },
    });
  });

  test("[MCP-18] deleting wants the id again", async () => {
    expect(await ada.refusal("context_delete", { id: "plan", confirm: "plans" })).toMatch(/Nothing was deleted/);
    expect(await ada.call("context_delete", { id: "plan", confirm: "plan" })).toEqual({ id: "plan", deleted: true });
    expect(await ada.refusal("context_read", { id: "plan" })).toMatch(/^CONTEXT_NOT_FOUND: .*context_find/s);
  });
});

describe("access", () => {
  test("[MCP-15] sharing closes a context to everybody else, and a role says what one may", async () => {
    const share = (role: string, more: object = {}) =>
      ada.call("context_share", { id: "plan", grants: [{ principal: "bob", role, ...more }] });
    expect(await bob.call("context_read", { id: "plan" })).toMatchObject({ your_role: "admin" });
    expect(await share("reader")).toEqual({ id: "plan", acl: [{ principal: "bob", role: "reader" }] });
    expect(await bob.call("context_read", { id: "plan" })).toMatchObject({ your_role: "reader" });
    const edit = { id: "plan", ops: [{ op: "add", path: "/tasks/t2", value: 1 }] };
    expect(await bob.refusal("context_update", edit)).toMatch(/^FORBIDDEN: /);
    await share("writer", { paths: ["/tasks"] });
    expect(await bob.call("context_update", edit)).toMatchObject({ version: 1 });
    const eve = new ToolCaller(rig.guard, "eve");
    expect(await eve.refusal("context_read", { id: "plan" })).toMatch(/^CONTEXT_NOT_FOUND: /);
    expect(await eve.call("context_find")).toEqual({ contexts: [] });
    expect(await eve.call("context_find", { query: "fox" })).toEqual({ contexts: [] });
    expect(await share("none")).toEqual({ id: "plan", acl: [] });
    expect(await bob.refusal("context_changes", { id: "plan", since_version: 0 })).toMatch(/^CONTEXT_NOT_FOUND: /);
  });

  test("[MCP-15] two who share at once both get what they asked for", async () => {
    const names = Array.from({ length: 20 }, (_, n) => `agent-${n}`);
    const grants = names.map((principal) => [{ principal, role: "writer" }]);
    await Promise.all(grants.map((one) => ada.call("context_share", { id: "plan", grants: one })));
    const acl = await rig.guard.access.acl({ identity: bearer("ada"), origin: "rest" }, PLAN);
    expect(acl?.grants.map(({ principal }) => principal).sort()).toEqual(names.sort());
  });
});
