/**
 * What REST promises (server/SPEC.md, "REST"), checked over real HTTP against any ContextService.
 *
 * Not here: faults that only a fake can have (rest-faults.test.ts).
 */
import { describe, expect, test } from "vitest";
import { readEvents } from "../../client/event-stream.ts";
import type { ServerEvent } from "../../client/event-stream.ts";
import { ROUTES } from "../../server/transport/rest/routes.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import {
  changeListSchema,
  changeResultSchema,
  changeSchema,
  contextListSchema,
  contextSchema,
  problemSchema,
} from "../../shared/protocol/rest.ts";
import { bodyOf, MERGE_JSON, PATCH_JSON, RestHarness } from "./rest-harness.ts";
import type { NodesUnderTest, ServiceUnderTest } from "./rest-harness.ts";

export function restSuite(name: string, start: () => Promise<ServiceUnderTest | NodesUnderTest>): void {
  describe(`REST over ${name}`, () => {
    const { call, send, set, raw, addressOf, dataAt, expectProblem } = new RestHarness(start);

    describe("creating and finding", () => {
      test("[REST-1] a new context is at version 0, with Location, ETag and its data", async () => {
        const body = {
          id: "first",
          name: "First",
          description: "a plan",
          tags: ["x"],
          type: "plan",
          data: { a: [1, { b: null }] },
        };
        const response = await send("POST", "/v1/contexts", body, { "mcm-actor": "Jos%C3%A9" });
        expect(response.status).toBe(201);
        expect(response.headers.get("location")).toBe("/v1/contexts/first");
        expect(response.headers.get("etag")).toBe('"0"');
        expect(contextSchema.parse(await response.json())).toMatchObject({
          ...body,
          version: 0,
          epoch: 1,
          createdBy: "José",
        });
      });

      test("[REST-1] an id is made when none is given; a taken one is refused", async () => {
        const made = contextSchema.parse(await (await send("POST", "/v1/contexts", {})).json());
        expect(made.id).not.toBe("");
        expect(made.data).toEqual({});
        await expectProblem(await send("POST", "/v1/contexts", { id: made.id }), "ALREADY_EXISTS");
      });

      test("[REST-1] a key for repeating is refused where it would be ignored", async () => {
        const response = await send("POST", "/v1/contexts", {}, { "idempotency-key": "k" });
        await expectProblem(response, "INVALID_REQUEST", /give the context an id/i);
      });

      test("[REST-2] contexts are found by text, tag and type, page by page in order of id", async () => {
        for (const id of ["find-b", "find-a", "find-c"]) {
          await send("POST", "/v1/contexts", {
            id,
            name: `Needle ${id}`,
            tags: ["found"],
            type: id === "find-c" ? "t" : "u",
          });
        }
        const find = async (query: string) =>
          contextListSchema.parse(await (await call(`/v1/contexts?${query}`)).json());
        const ids = (page: { contexts: { id: string }[] }) => page.contexts.map(({ id }) => id);
        expect(ids(await find("query=nEEdle"))).toEqual(["find-a", "find-b", "find-c"]);
        expect(ids(await find("tag=found&type=t"))).toEqual(["find-c"]);
        const first = await find("tag=found&limit=2");
        expect(ids(first)).toEqual(["find-a", "find-b"]);
        const rest = await find(`tag=found&limit=2&cursor=${first.next}`);
        expect(ids(rest)).toEqual(["find-c"]);
        expect(rest.next).toBeUndefined();
        expect((await find("query=no-such-thing")).contexts).toEqual([]);
      });

      test("[REST-42] figures are listed when they are asked for", async () => {
        const address = await addressOf({ a: 1 }, { tags: ["figured"] });
        const find = async (query: string) =>
          contextListSchema.parse(await (await call(`/v1/contexts?tag=figured${query}`)).json()).contexts;
        expect((await find("")).map((context) => "figures" in context)).toEqual([false]);
        expect((await find("&include=figures")).map(({ figures }) => figures)).toEqual([
          { diskBytes: expect.any(Number), sessions: 0, locks: 0, conflicts: { recent: 0, open: 0 } },
        ]);
        expect(await (await call(address)).json()).not.toHaveProperty("figures");
        await expectProblem(await call("/v1/contexts?include=size"), "INVALID_REQUEST", /include/);
      });
    });

    describe("reading", () => {
      test("[REST-3] a context is read whole or at a path; its ETag is the version", async () => {
        const address = await addressOf({ a: { "b/c": [1, 2] } });
        const whole = await call(address);
        expect(whole.headers.get("etag")).toBe('"0"');
        expect(whole.headers.get("cache-control")).toBe("private, no-cache");
        expect(contextSchema.parse(await whole.json()).data).toEqual({ a: { "b/c": [1, 2] } });
        const part = await call(`${address}?path=${encodeURIComponent("/a/b~1c/1")}`);
        expect(contextSchema.parse(await part.json()).data).toBe(2);
        await expectProblem(await call(`${address}?path=/nope`), "PATH_NOT_FOUND");
      });

      test("[REST-3] a client that has the version gets 304 and no body", async () => {
        const address = await addressOf();
        for (const tag of ['"0"', 'W/"0"', '"9", "0"', "*"]) {
          const response = await call(address, { headers: { "if-none-match": tag } });
          expect([tag, response.status, await response.text()]).toEqual([tag, 304, ""]);
          expect(response.headers.get("etag")).toBe('"0"');
        }
        expect((await call(address, { headers: { "if-none-match": '"1"' } })).status).toBe(200);
      });

      test("[REST-3] HEAD answers like GET without the body", async () => {
        const response = await call(await addressOf(), { method: "HEAD", headers: { accept: "text/event-stream" } });
        expect([response.status, response.headers.get("etag"), await response.text()]).toEqual([200, '"0"', ""]);
      });

      test("[REST-3] an unknown context is refused on every address", async () => {
        await expectProblem(await call("/v1/contexts/none"), "CONTEXT_NOT_FOUND");
        await expectProblem(await call("/v1/contexts/none/changes"), "CONTEXT_NOT_FOUND");
        await expectProblem(
          await call("/v1/contexts/none/changes", { headers: { accept: "text/event-stream" } }),
          "CONTEXT_NOT_FOUND",
        );
        await expectProblem(await set("/v1/contexts/none", 1), "CONTEXT_NOT_FOUND");
        await expectProblem(await call("/v1/contexts/none", { method: "DELETE" }), "CONTEXT_NOT_FOUND");
      });
    });

    describe("changing", () => {
      test("[REST-4] the three media types say the same change", async () => {
        const address = await addressOf({ title: "One" });
        const bodies: [string, unknown][] = [
          ["application/json", { changes: [{ op: "add", path: "/title", value: "Two" }], message: "why" }],
          [PATCH_JSON, [{ op: "replace", path: "/title", value: "Two" }]],
          [`${MERGE_JSON}; charset=UTF-8`, { title: "Two" }],
        ];
        for (const [index, [type, body]] of bodies.entries()) {
          const response = await send("PATCH", address, body, { "content-type": type });
          expect(response.status).toBe(200);
          const result = changeResultSchema.parse(await response.json());
          expect(result).toMatchObject({ id: address.split("/").at(-1), replayed: false });
          expect(response.headers.get("etag")).toBe(`"${result.version}"`);
          expect(await dataAt(address)).toEqual({ title: "Two" });
          await set(address, `reset ${index}`);
        }
      });

      test("[REST-5] If-Match and ifVersion hold a change to the version it was made for", async () => {
        const address = await addressOf();
        expect((await set(address, "1", { "if-match": '"0"' })).status).toBe(200);
        const problem = await expectProblem(await set(address, "2", { "if-match": '"0"' }), "VERSION_CONFLICT");
        expect(problem.details).toMatchObject({ currentVersion: 1 });
        expect((await set(address, "2", { "if-match": "*" })).status).toBe(200);
        const changes = [{ op: "add", path: "/title", value: "3" }];
        await expectProblem(await send("PATCH", address, { changes, ifVersion: 1 }), "VERSION_CONFLICT");
        const both = await send("PATCH", address, { changes, ifVersion: 2 }, { "if-match": '"1"' });
        await expectProblem(both, "INVALID_REQUEST", /one of them/);
        expect(await dataAt(address)).toMatchObject({ title: "2" });
      });

      test.each(["7", 'W/"0"', '"0", "1"', '"00"', '"-1"', '"x"', "", '"1e1"'])(
        "[REST-5] If-Match: %s is refused",
        async (tag) => {
          const address = await addressOf();
          await expectProblem(await set(address, "x", { "if-match": tag }), "INVALID_REQUEST", /strong tag/);
          expect(await dataAt(address)).toMatchObject({ title: "One" });
        },
      );

      test("[REST-6] a second request with an idempotency key gets the first answer again", async () => {
        const address = await addressOf();
        const key = { "idempotency-key": "k-1" };
        const first = changeResultSchema.parse(await (await set(address, "1", key)).json());
        await set(address, "2");
        const again = changeResultSchema.parse(await (await set(address, "1", key)).json());
        expect(again).toMatchObject({ version: first.version, replayed: true });
        expect(await dataAt(address)).toMatchObject({ title: "2" });
        await expectProblem(await set(address, "other", key), "IDEMPOTENCY_KEY_REUSED");
        for (const bad of ["", "two words", "x".repeat(LIMITS.idempotencyKeyCharsMax + 1)]) {
          await expectProblem(
            await set(address, "3", { "idempotency-key": bad }),
            "INVALID_REQUEST",
            /Idempotency-Key/,
          );
        }
      });

      test.each<[ErrorCode, object]>([
        ["TEST_FAILED", { op: "test", path: "/title", value: "Other" }],
        ["PATH_NOT_FOUND", { op: "remove", path: "/nope" }],
        ["TEXT_NOT_FOUND", { op: "edit_text", path: "/notes", old: "cat", new: "cow" }],
        ["TEXT_AMBIGUOUS", { op: "edit_text", path: "/notes", old: "a ", new: "the " }],
      ])("[REST-7] %s changes nothing, also not what came before it", async (code, op) => {
        const address = await addressOf();
        const changes = [{ op: "add", path: "/title", value: "Two" }, op];
        await expectProblem(await send("PATCH", address, { changes }), code);
        const after = contextSchema.parse(await (await call(address)).json());
        expect(after).toMatchObject({ version: 0, data: { title: "One", notes: "a fox, a dog" } });
      });

      test("[REST-8] the door is remembered: rest, or cli when our CLI says so", async () => {
        const address = await addressOf();
        await set(address, "1");
        await set(address, "2", { "mcm-client": "cli", "mcm-actor": "ada" });
        const list = changeListSchema.parse(await (await call(`${address}/changes`)).json());
        expect(list.changes).toMatchObject([
          { version: 1, origin: "rest", actor: "anonymous", paths: ["/title"] },
          { version: 2, origin: "cli", actor: "ada" },
        ]);
      });

      test("[REST-9] a deleted context is gone", async () => {
        const address = await addressOf();
        const refused = await call(address, { method: "DELETE", headers: { "if-match": '"0"' } });
        await expectProblem(refused, "INVALID_REQUEST", /If-Match/);
        const response = await call(address, { method: "DELETE" });
        expect([response.status, await response.text()]).toEqual([204, ""]);
        await expectProblem(await call(address), "CONTEXT_NOT_FOUND");
      });
    });

    describe("bad requests", () => {
      test.each([
        ["/v1/contexts/-bad", /context id/],
        [`/v1/contexts/${"x".repeat(129)}`, /context id/],
        ["/v1/contexts/a%2Fb", /context id/],
        ["/v1/contexts/%ff", /context id/],
        ["/v1/contexts/none?path=tasks", /JSON Pointer/],
        ["/v1/contexts/none?path=/a~2", /~/],
        ["/v1/contexts/none?depth=0", /depth/],
        ["/v1/contexts/none?depth=", /depth/],
        ["/v1/contexts/none?depth=1e1", /depth/],
        ["/v1/contexts/none?dept=1", /dept/],
        ["/v1/contexts/none?path=/a&path=/b", /twice/],
        ["/v1/contexts?limit=501", /limit/],
        ["/v1/contexts?limit=0x10", /limit/],
        ["/v1/contexts?cursor=%20", /context id/],
        ["/v1/contexts/none/changes?since=-1", /since/],
      ])("[REST-10] GET %s is refused with the place", async (path, says) => {
        await expectProblem(await call(path), "INVALID_REQUEST", says);
      });

      test.each<[string, RegExp]>([
        ["", /line 1, column 1/],
        ["{", /line 1, column 2/],
        ['{\n "changes": [,]}', /line 2, column 14/],
        ['{"changes":[]} x', /column 16/],
        ["null", /expected object/],
        ["[]", /expected object/],
        ['{"changes":[]}', /\/changes /],
        ['{"changes":[{"op":"zap","path":""}]}', /\/changes\/0\/op .*'add'/],
        ['{"changes":[{"op":"add","path":"/a"}]}', /\/changes\/0\/value .*missing/],
        ['{"changes":[{"op":"add","path":"/a","value":1,"valeu":2}]}', /valeu/],
        ['{"changes":[{"op":"merge","path":"","value":[]}]}', /object/],
        ['{"changes":[{"op":"add","path":"/a","value":1}],"ifVersion":"1"}', /\/ifVersion /],
        ['{"changes":[{"op":"add","path":"/a","value":1}],"ifVersion":1,"ifVersion":2}', /same key twice/],
        ['{"changes":[{"op":"add","path":"/a","value":{"__proto__":1}}]}', /__proto__/],
        ['{"changes":[{"op":"add","path":"/a","value":1e999}]}', /too large/],
        [`{"changes":[{"op":"add","path":"/a","value":1}],"message":"${"x".repeat(501)}"}`, /\/message /],
      ])("[REST-11] the body %s is refused with the place", async (body, says) => {
        const address = await addressOf();
        await expectProblem(await send("PATCH", address, body), "INVALID_REQUEST", says);
        expect(await dataAt(address)).toMatchObject({ title: "One" });
      });

      test("[REST-11] a body that is not UTF-8 is refused", async () => {
        const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
        const response = await call(await addressOf(), {
          method: "PATCH",
          body,
          headers: { "content-type": MERGE_JSON },
        });
        await expectProblem(response, "INVALID_REQUEST", /UTF-8/);
      });

      test.each([
        ["text/plain", {}],
        ["", {}],
        ["application/x-www-form-urlencoded", {}],
        ["application/json; charset=latin1", {}],
        ["application/jsonx", {}],
        ["application/json", { "content-encoding": "gzip" }],
      ])("[REST-12] a body of type '%s' %j is not read", async (type, headers) => {
        const response = await send("PATCH", await addressOf(), { changes: [] }, { "content-type": type, ...headers });
        await expectProblem(response, "UNSUPPORTED_MEDIA_TYPE");
        await expectProblem(
          await send("POST", "/v1/contexts", {}, { "content-type": MERGE_JSON }),
          "UNSUPPORTED_MEDIA_TYPE",
        );
      });

      test("[REST-13] a body over the limit is refused, announced or not, and the server goes on", async () => {
        const address = await addressOf();
        const long = `{"title":"${"x".repeat(LIMITS.bodyBytesMax)}"}`;
        const chunks = long.match(/.{1,65536}/gs) ?? [];
        const length = { "content-length": String(Buffer.byteLength(long)) };
        for (const header of [length, { "transfer-encoding": "chunked" }]) {
          const answer = await raw("PATCH", address, { "content-type": MERGE_JSON, ...header }, chunks);
          expect(JSON.parse(answer.text)).toMatchObject({
            code: "TOO_LARGE",
            details: { limitBytes: LIMITS.bodyBytesMax },
          });
        }
        expect(await dataAt(address)).toMatchObject({ title: "One" });
      });

      test("[REST-13] 4 MB of brackets cost nothing but a refusal", async () => {
        const depth = LIMITS.bodyBytesMax / 2 - 100;
        const bomb = `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
        const response = await send("PATCH", await addressOf(), bomb, { "content-type": MERGE_JSON });
        await expectProblem(response, "TOO_LARGE", /deeper/);
      });

      test("[REST-14] addresses and methods that there are not", async () => {
        const address = await addressOf();
        for (const path of ["/", "/v1", "/v1/contexts/", "/v2/contexts", `${address}/nope`, "/v1/contexts//changes"]) {
          await expectProblem(await call(path), "NOT_FOUND");
        }
        const allow = async (path: string, method: string) => {
          const response = await call(path, { method });
          await expectProblem(response, "METHOD_NOT_ALLOWED");
          return response.headers.get("allow");
        };
        expect(await allow("/v1/contexts", "DELETE")).toBe("POST, GET, HEAD");
        expect(await allow(address, "PUT")).toBe("GET, HEAD, PATCH, DELETE");
        expect(await allow(`${address}/changes`, "POST")).toBe("GET, HEAD");
        expect(await allow("/healthz", "OPTIONS")).toBe("GET, HEAD");
      });

      test("[REST-24] an actor's name is checked", async () => {
        for (const actor of ["", "%0a", "%ff", "x".repeat(LIMITS.actorCharsMax + 1)]) {
          await expectProblem(
            await call("/v1/contexts", { headers: { "mcm-actor": actor } }),
            "INVALID_REQUEST",
            /Mcm-Actor|actor name/,
          );
        }
      });

      test("[REST-16] only known host names are answered, so a web page cannot rebind its own", async () => {
        for (const host of ["127.0.0.1:1", "localhost", "LOCALHOST:80", "[::1]:9", "mcm.test:4400"]) {
          expect([host, (await raw("GET", "/healthz", { host })).status]).toEqual([host, 200]);
        }
        for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "10.0.0.1"]) {
          const answer = await raw("GET", "/v1/contexts", { host });
          expect([host, answer.status]).toEqual([host, 403]);
        }
        expect((await raw("GET", "/healthz", { host: "a b" })).status).toBe(400);
      });

      test("[REST-16] pages of this machine may call and read, pages of others may not", async () => {
        const ask = (origin: string) =>
          raw("OPTIONS", "/v1/contexts/plan", {
            origin,
            "access-control-request-method": "PATCH",
            "access-control-request-headers": "content-type,if-match",
          });
        const page = "http://localhost:5173";
        const allowed = await ask(page);
        expect([allowed.status, allowed.headers["access-control-allow-origin"]]).toEqual([204, page]);
        expect(allowed.headers["access-control-allow-methods"]).toContain("PATCH");
        for (const path of ["/v1/contexts", "/v1/contexts/nowhere"]) {
          const answer = await raw("GET", path, { origin: page });
          expect(answer.headers["access-control-allow-origin"]).toBe(page);
          expect(answer.headers["access-control-expose-headers"]).toContain("etag");
        }
        for (const origin of ["https://evil.example", "null"]) {
          expect((await ask(origin)).headers).not.toHaveProperty("access-control-allow-origin");
          expect((await raw("GET", "/v1/contexts", { origin })).headers).not.toHaveProperty(
            "access-control-allow-origin",
          );
        }
      });
    });

    describe("history and the live feed", () => {
      const follow = async (path: string, headers: Record<string, string> = {}) => {
        const stopped = new AbortController();
        const response = await call(path, {
          headers: { accept: "text/event-stream", ...headers },
          signal: stopped.signal,
        });
        expect(response.status).toBe(200);
        expect(response.headers.get("content-type")).toBe("text/event-stream");
        const events = readEvents(bodyOf(response));
        const next = async (): Promise<ServerEvent> => {
          const { value } = await events.next();
          if (value === undefined) throw new Error("the feed ended");
          return value;
        };
        return { next, stop: () => stopped.abort() };
      };

      test("[REST-17] changes come in order, after a version, by path, page by page", async () => {
        const address = await addressOf();
        for (const value of ["1", "2", "3"]) await set(address, value);
        await send("PATCH", address, [{ op: "add", path: "/other", value: 1 }], { "content-type": PATCH_JSON });
        const list = async (query: string) =>
          changeListSchema.parse(await (await call(`${address}/changes?${query}`)).json());
        const versions = (page: { changes: { version: number }[] }) => page.changes.map(({ version }) => version);
        expect(versions(await list(""))).toEqual([1, 2, 3, 4]);
        expect(versions(await list("since=2"))).toEqual([3, 4]);
        expect(versions(await list("path=/title"))).toEqual([1, 2, 3]);
        const first = await list("limit=3");
        expect(versions(first)).toEqual([1, 2, 3]);
        expect(versions(await list(`since=${first.next}`))).toEqual([4]);
      });

      test("[REST-18] [HIST-18] the feed begins now, or after `since`, and says where before anything happens", async () => {
        const address = await addressOf();
        await set(address, "1");
        const live = await follow(`${address}/changes`);
        expect(await live.next()).toMatchObject({ data: "", lastEventId: "1" });
        await set(address, "2");
        const event = await live.next();
        expect(event).toMatchObject({ event: "change", lastEventId: "2" });
        const told = changeSchema.parse(JSON.parse(event.data));
        expect(told).toMatchObject({ version: 2, paths: ["/title"], bytes: expect.any(Number) });
        const [listed] = changeListSchema.parse(await (await call(`${address}/changes?since=1`)).json()).changes;
        expect(told).toEqual(listed);
        live.stop();
        const all = await follow(`${address}/changes?since=0`);
        expect([
          (await all.next()).lastEventId,
          (await all.next()).lastEventId,
          (await all.next()).lastEventId,
        ]).toEqual(["0", "1", "2"]);
        all.stop();
      });

      test("[REST-19] Last-Event-ID resumes behind it, whatever `since` says", async () => {
        const address = await addressOf();
        for (const value of ["1", "2", "3"]) await set(address, value);
        const feed = await follow(`${address}/changes?since=0`, { "last-event-id": "2" });
        expect((await feed.next()).lastEventId).toBe("2");
        expect((await feed.next()).lastEventId).toBe("3");
        feed.stop();
        const events = { accept: "text/event-stream" };
        const bad = await call(`${address}/changes`, { headers: { ...events, "last-event-id": "x" } });
        await expectProblem(bad, "INVALID_REQUEST", /Last-Event-ID/);
        const ahead = await call(`${address}/changes`, { headers: { ...events, "last-event-id": "9" } });
        await expectProblem(ahead, "EPOCH_CHANGED", /version 3/);
        await expectProblem(await call(`${address}/changes?limit=1`, { headers: events }), "INVALID_REQUEST", /limit/);
      });

      test("[REST-20] deleting the context ends the feed with the reason", async () => {
        const address = await addressOf();
        const feed = await follow(`${address}/changes`);
        await feed.next();
        await call(address, { method: "DELETE" });
        const last = await feed.next();
        expect(last.event).toBe("problem");
        expect(problemSchema.parse(JSON.parse(last.data)).code).toBe("CONTEXT_NOT_FOUND");
        await expect(feed.next()).rejects.toThrow("the feed ended");
      });
    });

    test("[REST-22] the OpenAPI document names what is answered, and nothing else", async () => {
      const response = await call("/openapi.json");
      expect(response.headers.get("content-type")).toBe("application/json");
      const { openapi, paths } = (await response.json()) as {
        openapi: string;
        paths: Record<string, Record<string, unknown>>;
      };
      expect(openapi).toMatch(/^3\.1/);
      for (const [path, methods] of Object.entries(paths)) {
        const allowed =
          (await call(path.replaceAll(/\{\w+\}/g, "none"), { method: "OPTIONS" })).headers.get("allow") ?? "";
        const documented = Object.keys(methods).map((method) => method.toUpperCase());
        expect([path, ...documented.sort()]).toEqual([
          path,
          ...allowed
            .split(", ")
            .filter((it) => it !== "HEAD")
            .sort(),
        ]);
      }
      expect(Object.keys(paths)).toHaveLength(Object.keys(ROUTES).length + 3);
    });

    test("[REST-23] liveness and readiness", async () => {
      for (const path of ["/healthz", "/readyz"]) {
        const response = await call(path);
        expect([response.status, await response.json()]).toMatchObject([200, { status: "ok", reasons: [] }]);
      }
    });
  });
}
