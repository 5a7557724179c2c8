/**
 * What REST promises of the past, conflicts and types (server/SPEC.md, "REST"), over any ContextService.
 *
 * Not here: conflicts that exist, which need concurrent editors or a script (rest-conflicts.test.ts).
 */
import { describe, expect, test } from "vitest";
import { readEvents } from "../../client/event-stream.ts";
import { LIMITS } from "../../shared/limits.ts";
import { conflictListSchema } from "../../shared/protocol/rest-conflicts.ts";
import {
  blameSchema,
  checkpointListSchema,
  checkpointSchema,
  compactResultSchema,
  diffSchema,
  revertResultSchema,
} from "../../shared/protocol/rest-history.ts";
import { typeListSchema, typeResultSchema, typeSchema } from "../../shared/protocol/rest-types.ts";
import { changeListSchema, changeSchema, contextSchema } from "../../shared/protocol/rest.ts";
import { bodyOf, PATCH_JSON, RestHarness } from "./rest-harness.ts";
import type { NodesUnderTest, ServiceUnderTest } from "./rest-harness.ts";

const by = (actor: string) => ({ "mcm-actor": actor });

export function restHistorySuite(name: string, start: () => Promise<ServiceUnderTest | NodesUnderTest>): void {
  describe(`REST over ${name}: past, conflicts, types`, () => {
    const { call, send, set, put, addressOf, dataAt, expectProblem } = new RestHarness(start);

    /** Version 1: ada sets /title to Two; 2: bob adds /extra; 3: ada sets /title to Three; 4: bob sets /title to Four. */
    const toldAddress = async (): Promise<string> => {
      const address = await addressOf({ title: "One" });
      await send(
        "PATCH",
        address,
        { changes: [{ op: "replace", path: "/title", value: "Two" }], message: "why" },
        by("ada"),
      );
      await put(address, "/extra", 1, by("bob"));
      await set(address, "Three", by("ada"));
      await set(address, "Four", by("bob"));
      return address;
    };

    describe("versions", () => {
      test("[REST-25] a version is read as it was; body and ETag name it", async () => {
        const address = await toldAddress();
        const response = await call(`${address}?version=2`);
        expect(response.headers.get("etag")).toBe('"2"');
        expect(contextSchema.parse(await response.json())).toMatchObject({
          version: 2,
          data: { title: "Two", extra: 1 },
        });
        const first = contextSchema.parse(await (await call(`${address}?version=0&path=/title`)).json());
        expect(first).toMatchObject({ version: 0, data: "One" });
        expect((await call(`${address}?version=2`, { headers: { "if-none-match": '"2"' } })).status).toBe(304);
        const head = await call(`${address}?version=1`, { method: "HEAD" });
        expect([head.status, head.headers.get("etag"), await head.text()]).toEqual([200, '"1"', ""]);
        await expectProblem(await call(`${address}?version=5`), "VERSION_NOT_FOUND");
        await expectProblem(await call(`${address}?version=1&path=/extra`), "PATH_NOT_FOUND");
        for (const bad of ["-1", "", "1.0", "x"]) {
          await expectProblem(await call(`${address}?version=${bad}`), "INVALID_REQUEST", /version/);
        }
      });

      test("[REST-26] changes by actor, and the newest first, page by page", async () => {
        const address = await toldAddress();
        const versions = async (query: string) => {
          const page = changeListSchema.parse(await (await call(`${address}/changes?${query}`)).json());
          return [page.changes.map(({ version }) => version), page.next];
        };
        expect(await versions("actor=ada")).toEqual([[1, 3], undefined]);
        expect(await versions("actor=nobody")).toEqual([[], undefined]);
        expect(await versions("order=newest&limit=3")).toEqual([[4, 3, 2], 2]);
        expect(await versions("order=newest&limit=3&before=2")).toEqual([[1], undefined]);
        expect(await versions("order=newest&path=/title&actor=bob")).toEqual([[4], undefined]);
        expect(await versions("order=oldest&since=3")).toEqual([[4], undefined]);
      });

      test.each([
        ["order=newest&since=1", /since/],
        ["before=3", /before/],
        ["order=up", /order/],
        ["actor=%00", /actor name/],
      ])("[REST-26] changes?%s is refused", async (query, says) => {
        await expectProblem(await call(`${await addressOf()}/changes?${query}`), "INVALID_REQUEST", says);
      });

      test("[REST-26] the live feed can be of one actor, and has neither limit nor order", async () => {
        const address = await toldAddress();
        const headers = { accept: "text/event-stream" };
        const stopped = new AbortController();
        const response = await call(`${address}/changes?since=0&actor=ada`, { headers, signal: stopped.signal });
        const seen: number[] = [];
        for await (const { event, data } of readEvents(bodyOf(response))) {
          if (event === "change") seen.push(changeSchema.parse(JSON.parse(data)).version);
          if (seen.length === 2) break;
        }
        stopped.abort();
        expect(seen).toEqual([1, 3]);
        for (const query of ["order=newest", "order=newest&before=2", "limit=1"]) {
          await expectProblem(await call(`${address}/changes?${query}`, { headers }), "INVALID_REQUEST", /live feed/);
        }
      });
    });

    describe("preconditions", () => {
      const change = (address: string, path: string, more: object, headers = {}) =>
        send("PATCH", address, { changes: [{ op: "add", path, value: 0 }], ...more }, headers);

      test("[REST-27] ifVersion speaks of what the change touches, or of the context when so asked", async () => {
        const address = await toldAddress();
        expect((await change(address, "/extra", { ifVersion: 2 })).status).toBe(200);
        await expectProblem(await change(address, "/title", { ifVersion: 2 }), "VERSION_CONFLICT");
        const whole = { ifVersion: 4, ifVersionScope: "context" };
        await expectProblem(await change(address, "/new", whole), "VERSION_CONFLICT");
        expect((await change(address, "/new", { ...whole, ifVersion: 5 })).status).toBe(200);
      });

      test("[REST-27] If-Match speaks of the context, unless the body says paths", async () => {
        const address = await toldAddress();
        const old = { "if-match": '"2"' };
        await expectProblem(await change(address, "/new", {}, old), "VERSION_CONFLICT");
        await expectProblem(await put(address, "/new", 1, old), "VERSION_CONFLICT");
        expect((await change(address, "/new", { ifVersionScope: "paths" }, old)).status).toBe(200);
        await expectProblem(await change(address, "/title", { ifVersionScope: "paths" }, old), "VERSION_CONFLICT");
      });

      test("[REST-27] the refusal says version and value now, and who made them", async () => {
        const address = await toldAddress();
        const { details } = await expectProblem(await change(address, "/title", { ifVersion: 2 }), "VERSION_CONFLICT");
        expect(details).toMatchObject({
          currentVersion: 4,
          ifVersion: 2,
          path: "/title",
          changedBy: { actor: "bob", version: 4, at: expect.stringMatching(/^\d{4}-.*Z$/) },
          value: "Four",
        });
      });

      test("[REST-27] a scope without a version, or another word for one, is refused", async () => {
        const address = await addressOf();
        const alone = await change(address, "/title", { ifVersionScope: "context" });
        await expectProblem(alone, "INVALID_REQUEST", /ifVersion or If-Match/);
        const odd = await change(address, "/title", { ifVersion: 0, ifVersionScope: "all" });
        await expectProblem(odd, "INVALID_REQUEST", /\/ifVersionScope/);
      });
    });

    describe("diff and blame", () => {
      test("[REST-28] the diff of two versions, either way, to the present one unless said", async () => {
        const address = await toldAddress();
        const diff = async (query: string) => diffSchema.parse(await (await call(`${address}/diff?${query}`)).json());
        expect(await diff("from=0&to=2")).toEqual({
          from: 0,
          to: 2,
          path: "",
          changes: expect.arrayContaining([
            { op: "replace", path: "/title", value: "Two" },
            { op: "add", path: "/extra", value: 1 },
          ]),
        });
        expect(await diff("from=2&to=1")).toMatchObject({ changes: [{ op: "remove", path: "/extra" }] });
        expect(await diff("from=2&path=/title")).toEqual({
          from: 2,
          to: 4,
          path: "/title",
          changes: [{ op: "replace", path: "/title", value: "Four" }],
        });
        expect((await diff("from=3&to=3")).changes).toEqual([]);
        await expectProblem(await call(`${address}/diff?from=9`), "VERSION_NOT_FOUND");
        for (const bad of ["", "to=1", "from=x", "from=1&path=x", "from=1&version=2"]) {
          await expectProblem(await call(`${address}/diff?${bad}`), "INVALID_REQUEST");
        }
      });

      test("[REST-29] blame says who wrote what stands there last", async () => {
        const address = await toldAddress();
        const response = await call(`${address}/blame`);
        expect(response.headers.get("etag")).toBe('"4"');
        const { version, lines } = blameSchema.parse(await response.json());
        expect(version).toBe(4);
        expect(lines.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toMatchObject([
          { path: "/extra", version: 2, actor: "bob", at: expect.stringMatching(/Z$/) },
          { path: "/title", version: 4, actor: "bob" },
        ]);
        const part = blameSchema.parse(await (await call(`${address}/blame?path=/extra`)).json());
        expect(part.lines.map(({ path }) => path)).toEqual(["/extra"]);
        expect((await call(`${address}/blame`, { headers: { "if-none-match": '"4"' } })).status).toBe(304);
        await expectProblem(await call(`${address}/blame?path=/nope`), "PATH_NOT_FOUND");
        await expectProblem(await call(`${address}/blame?path=nope`), "INVALID_REQUEST", /JSON Pointer/);
      });
    });

    describe("restoring and undoing", () => {
      const restore = async (address: string, body: object) => {
        const response = await send("POST", `${address}/restore`, body, by("eve"));
        expect(response.status).toBe(200);
        return { ...revertResultSchema.parse(await response.json()), etag: response.headers.get("etag") };
      };

      test("[REST-30] a restore is a new change; a dry run says it and does nothing", async () => {
        const address = await toldAddress();
        const dry = await restore(address, { version: 0, dryRun: true });
        expect(dry).toMatchObject({ version: 4, dryRun: true, kept: [], etag: '"4"' });
        expect(dry.changes).toHaveLength(2);
        expect(await dataAt(address)).toEqual({ title: "Four", extra: 1 });
        const done = await restore(address, { version: 0, message: "back" });
        expect(done).toMatchObject({ version: 5, changes: dry.changes, dryRun: false, etag: '"5"' });
        expect(await dataAt(address)).toEqual({ title: "One" });
        const { changes } = changeListSchema.parse(await (await call(`${address}/changes?since=4`)).json());
        expect(changes).toMatchObject([{ version: 5, actor: "eve", origin: "restore", message: "back" }]);
        expect(await restore(address, { version: 0 })).toMatchObject({ version: 5, changes: [] });
      });

      test("[REST-30] a part is restored by itself", async () => {
        const address = await toldAddress();
        expect(await restore(address, { version: 1, path: "/title" })).toMatchObject({ version: 5 });
        expect(await dataAt(address)).toEqual({ title: "Two", extra: 1 });
      });

      const undo = (address: string, body: object) => send("POST", `${address}/undo`, body, by("eve"));

      test("[REST-31] an undo takes one actor's changes back and lists what others wrote over", async () => {
        const address = await toldAddress();
        const response = await undo(address, { actor: "bob", from: 0, to: 2 });
        expect(response.headers.get("etag")).toBe('"5"');
        expect(revertResultSchema.parse(await response.json())).toEqual({
          version: 5,
          changes: [{ op: "remove", path: "/extra" }],
          kept: [],
          dryRun: false,
        });
        const kept = revertResultSchema.parse(await (await undo(address, { actor: "ada", from: 0 })).json());
        expect(kept).toMatchObject({
          version: 5,
          changes: [],
          kept: [{ path: "/title", reason: "changed-since", by: { actor: "bob", version: 4 } }],
        });
        expect(await dataAt(address)).toEqual({ title: "Four" });
        const dry = await (await undo(address, { actor: "bob", from: 3, path: "/title", dryRun: true })).json();
        expect(dry).toMatchObject({ version: 5, changes: [{ path: "/title", value: "Three" }], dryRun: true });
        const { changes } = changeListSchema.parse(await (await call(`${address}/changes?since=4`)).json());
        expect(changes).toMatchObject([{ version: 5, actor: "eve", origin: "undo" }]);
      });

      test("[REST-30] [REST-31] versions that are not there", async () => {
        const address = await toldAddress();
        await expectProblem(await send("POST", `${address}/restore`, { version: 9 }), "VERSION_NOT_FOUND");
        await expectProblem(await undo(address, { actor: "ada", from: 9 }), "VERSION_NOT_FOUND");
        const idle = await undo(address, { actor: "ada", from: 4 });
        expect(await idle.json()).toEqual({ version: 4, changes: [], kept: [], dryRun: false });
      });

      test.each<[string, object, RegExp]>([
        ["restore", {}, /\/version/],
        ["restore", { version: "1" }, /\/version/],
        ["restore", { version: -1 }, /\/version/],
        ["restore", { version: 1, path: "x" }, /JSON Pointer/],
        ["restore", { version: 1, dryrun: true }, /dryrun/],
        ["restore", { version: 1, dryRun: "yes" }, /\/dryRun/],
        ["restore", { version: 1, message: "x".repeat(LIMITS.messageCharsMax + 1) }, /\/message/],
        ["undo", { from: 0 }, /\/actor/],
        ["undo", { actor: "ada" }, /\/from/],
        ["undo", { actor: "", from: 0 }, /actor name/],
        ["undo", { actor: "ada", from: 2, to: 2 }, /\/to .*after from/],
        ["undo", { actor: "ada", from: 0, path: "x" }, /JSON Pointer/],
        ["compact", [], /expected object/],
        ["compact", { hard: true }, /hard/],
        ["checkpoints", {}, /\/name/],
        ["checkpoints", { name: ".." }, /\/name/],
        ["checkpoints", { name: "a\u0007" }, /\/name/],
        ["checkpoints", { name: "x".repeat(LIMITS.checkpointNameCharsMax + 1) }, /\/name/],
        ["conflicts/1.0/resolve", {}, /\/take/],
        ["conflicts/1.0/resolve", { take: "both" }, /\/take/],
        ["conflicts/1.0/resolve", { take: "winner", changes: [] }, /\/take/],
        ["conflicts/x/resolve", { take: "winner" }, /address/],
      ])("[REST-36] POST …/%s with %j is refused with the place", async (action, body, says) => {
        const address = await addressOf();
        await expectProblem(await send("POST", `${address}/${action}`, body), "INVALID_REQUEST", says);
        expect((await call(address)).headers.get("etag")).toBe('"0"');
      });

      test("[REST-36] what would be ignored is refused: keys, preconditions, queries, other media types", async () => {
        const address = await addressOf();
        const bodies = {
          restore: { version: 0 },
          undo: { actor: "ada", from: 0 },
          checkpoints: { name: "a" },
          compact: {},
        };
        for (const [action, body] of Object.entries({ ...bodies, "conflicts/1.0/resolve": { take: "winner" } })) {
          const post = (headers: Record<string, string>, query = "") =>
            send("POST", `${address}/${action}${query}`, body, headers);
          await expectProblem(await post({ "idempotency-key": "k" }), "INVALID_REQUEST", /no Idempotency-Key/);
          await expectProblem(await post({ "if-match": '"0"' }), "INVALID_REQUEST", /no If-Match/);
          await expectProblem(await post({}, "?dryRun=true"), "INVALID_REQUEST", /dryRun/);
          await expectProblem(await post({ "content-type": PATCH_JSON }), "UNSUPPORTED_MEDIA_TYPE");
          await expectProblem(await call(`${address}/${action}`, { method: "POST" }), "UNSUPPORTED_MEDIA_TYPE");
          await expectProblem(await send("POST", `/v1/contexts/none/${action}`, body), "CONTEXT_NOT_FOUND");
        }
      });
    });

    describe("checkpoints and compaction", () => {
      test("[REST-32] a version gets a name, is listed, and loses it again", async () => {
        const address = await toldAddress();
        const created = await send(
          "POST",
          `${address}/checkpoints`,
          { name: "Über v1/2", version: 1, message: "m" },
          by("ada"),
        );
        expect(created.status).toBe(201);
        expect(checkpointSchema.parse(await created.json())).toMatchObject({
          name: "Über v1/2",
          version: 1,
          actor: "ada",
          message: "m",
        });
        await send("POST", `${address}/checkpoints`, { name: "now" });
        const list = async () => checkpointListSchema.parse(await (await call(`${address}/checkpoints`)).json());
        expect((await list()).checkpoints).toMatchObject([
          { name: "now", version: 4 },
          { name: "Über v1/2", version: 1 },
        ]);
        await expectProblem(await send("POST", `${address}/checkpoints`, { name: "now" }), "ALREADY_EXISTS");
        const ahead = await send("POST", `${address}/checkpoints`, { name: "ahead", version: 9 });
        await expectProblem(ahead, "VERSION_NOT_FOUND");
        const gone = await call(`${address}/checkpoints/${encodeURIComponent("Über v1/2")}`, { method: "DELETE" });
        expect([gone.status, await gone.text()]).toEqual([204, ""]);
        expect((await list()).checkpoints).toMatchObject([{ name: "now" }]);
        const again = await call(`${address}/checkpoints/none`, { method: "DELETE" });
        await expectProblem(again, "CHECKPOINT_NOT_FOUND");
        const bad = await call(`${address}/checkpoints/%20`, { method: "DELETE" });
        await expectProblem(bad, "INVALID_REQUEST", /address/);
      });

      test("[REST-33] compacting keeps data and version, and begins an epoch", async () => {
        const address = await toldAddress();
        const response = await send("POST", `${address}/compact`, {});
        expect([response.status, response.headers.get("etag")]).toEqual([200, '"4"']);
        const result = compactResultSchema.parse(await response.json());
        const after = contextSchema.parse(await (await call(address)).json());
        expect(after).toMatchObject({ version: 4, epoch: result.epoch, data: { title: "Four", extra: 1 } });
        expect(result.epoch).toBeGreaterThan(1);
        expect(contextSchema.parse(await (await call(`${address}?version=1`)).json()).data).toEqual({ title: "Two" });
      });
    });

    describe("conflicts", () => {
      test("[REST-34] a context without conflicts lists none; one that is not there cannot be resolved", async () => {
        const address = await addressOf();
        const list = await call(`${address}/conflicts`);
        expect(conflictListSchema.parse(await list.json())).toEqual({ conflicts: [] });
        const resolve = await send("POST", `${address}/conflicts/1.0/resolve`, { take: "winner" });
        await expectProblem(resolve, "CONFLICT_NOT_FOUND");
      });

      test.each([
        ["status=lost", /status/],
        ["path=x", /JSON Pointer/],
        ["limit=0", /limit/],
        ["cursor=x", /cursor/],
      ])("[REST-34] conflicts?%s is refused", async (query, says) => {
        await expectProblem(await call(`${await addressOf()}/conflicts?${query}`), "INVALID_REQUEST", says);
      });
    });

    describe("types", () => {
      const schema = {
        type: "object",
        required: ["title"],
        properties: { title: { type: "string" }, done: { type: "boolean" } },
      };
      const address = "/v1/types/task:v1.0";

      test("[REST-35] a type is registered, read, listed, replaced and deleted", async () => {
        const first = await send("PUT", address, { schema }, by("ada"));
        expect(first.status).toBe(201);
        expect(typeResultSchema.parse(await first.json())).toMatchObject({
          type: { name: "task:v1.0", schema, revision: 1, updatedBy: "ada" },
          report: { checked: 0, invalid: [] },
        });
        const same = await send("PUT", address, { schema }, by("bob"));
        expect([same.status, typeResultSchema.parse(await same.json()).type.revision]).toEqual([200, 1]);
        const second = await send("PUT", address, { schema: { type: "object" } });
        expect(second.status).toBe(200);
        expect(typeResultSchema.parse(await second.json()).type.revision).toBe(2);
        const read = await call(address);
        expect(typeSchema.parse(await read.json())).toMatchObject({ name: "task:v1.0", schema: { type: "object" } });
        const { types } = typeListSchema.parse(await (await call("/v1/types")).json());
        expect(types.map(({ name: it }) => it)).toContain("task:v1.0");
        expect((await call(address, { method: "DELETE" })).status).toBe(204);
        await expectProblem(await call(address), "TYPE_NOT_FOUND");
        await expectProblem(await call(address, { method: "DELETE" }), "TYPE_NOT_FOUND");
      });

      test("[REST-35] the contexts of a type are checked and reported; a dry run only does that", async () => {
        const good = await addressOf({ title: "A" }, { type: "checked" });
        const bad = await addressOf({ title: 1 }, { type: "checked" });
        const dry = await send("PUT", "/v1/types/checked?dryRun=true", { schema });
        expect(dry.status).toBe(200);
        const { report } = typeResultSchema.parse(await dry.json());
        expect(report).toMatchObject({ checked: 2, invalid: [{ violations: [{ path: "/title" }] }] });
        expect(report.invalid.map(({ id }) => `/v1/contexts/${id}`)).toEqual([bad]);
        await expectProblem(await call("/v1/types/checked"), "TYPE_NOT_FOUND");
        expect((await send("PUT", "/v1/types/checked?dryRun=false", { schema })).status).toBe(201);
        await expectProblem(await put(good, "/done", "yes"), "SCHEMA_VIOLATION");
        expect((await put(good, "/done", true)).status).toBe(200);
        const created = await send("POST", "/v1/contexts", { type: "checked", data: {} });
        await expectProblem(created, "SCHEMA_VIOLATION");
      });

      test("[REST-35] what is no schema, no name or no request is refused", async () => {
        await expectProblem(await send("PUT", address, { schema: { type: 7 } }), "INVALID_SCHEMA");
        await expectProblem(await send("PUT", address, { schema: true }), "INVALID_REQUEST", /\/schema/);
        await expectProblem(await send("PUT", address, schema), "INVALID_REQUEST", /\/schema/);
        await expectProblem(await send("PUT", `${address}?dryRun=1`, { schema }), "INVALID_REQUEST", /dryRun/);
        for (const odd of ["%20", "-x", "a%2Fb", "x".repeat(129)]) {
          await expectProblem(await send("PUT", `/v1/types/${odd}`, { schema }), "INVALID_REQUEST", /address/);
        }
        for (const method of ["PUT", "DELETE"]) {
          const refused = await send(method, address, { schema }, { "if-match": '"1"' });
          await expectProblem(refused, "INVALID_REQUEST", /If-Match/);
        }
        await expectProblem(await call("/v1/types?limit=1"), "INVALID_REQUEST", /limit/);
        await expectProblem(await call("/v1/types/none"), "TYPE_NOT_FOUND");
      });
    });

    test("[REST-25] [REST-28] [REST-29] [REST-32] [REST-34] an unknown context has no past; HEAD answers without a body", async () => {
      const address = await addressOf();
      for (const path of ["diff?from=0", "blame", "checkpoints", "conflicts"]) {
        await expectProblem(await call(`/v1/contexts/none/${path}`), "CONTEXT_NOT_FOUND");
        const head = await call(`${address}/${path}`, { method: "HEAD" });
        expect([path, head.status, await head.text()]).toEqual([path, 200, ""]);
      }
      const gone = await call("/v1/contexts/none/checkpoints/a", { method: "DELETE" });
      await expectProblem(gone, "CONTEXT_NOT_FOUND");
    });
  });
}
