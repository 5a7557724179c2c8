/** REST calls of the SDK: addresses, identity, and answers that are none. */
import { describe, expect, test } from "vitest";
import { Rest } from "../../../client/rest.ts";
import type { RestOptions } from "../../../client/rest.ts";
import { Tokens } from "../../../client/tokens.ts";
import { RecordingFetch } from "../../support/recording-fetch.ts";

const server = new RecordingFetch();

function rest(options: Partial<RestOptions> = {}): Rest {
  const all = { baseUrl: "http://mcm.test/base", tokens: undefined, actor: "Ada L.", timeoutMs: 1000 };
  return new Rest({ ...all, fetch: server.fetch, ...options });
}

const refusal = (code: string, text = ""): object =>
  expect.objectContaining({ code, message: expect.stringContaining(text) });

describe("[SDK-25] a call", () => {
  test("goes to the address of its steps, with what the query says and nothing else", async () => {
    server.answer({ ok: true });
    const query = { path: "/a b/ü&c", since: 0, before: undefined, dryRun: true };
    expect(await rest().call("GET", ["contexts", "a:b", "what/ever?"], { query })).toEqual({ ok: true });
    expect(server.last?.path).toBe(
      "/base/v1/contexts/a%3Ab/what%2Fever%3F?path=%2Fa+b%2F%C3%BC%26c&since=0&dryRun=true",
    );
    expect([server.last?.method, server.last?.body]).toEqual(["GET", undefined]);
  });

  test("says who calls", async () => {
    server.answer();
    await rest({ tokens: new Tokens("t.o.k", 1000) }).call("DELETE", ["types", "x"]);
    expect(server.last?.headers.get("authorization")).toBe("Bearer t.o.k");
    expect(server.last?.headers.get("mcm-actor")).toBeNull();
    server.answer();
    await rest().call("DELETE", ["types", "x"]);
    expect(server.last?.headers.get("mcm-actor")).toBe("Ada%20L.");
    expect(server.last?.headers.get("authorization")).toBeNull();
  });

  test("for a feed asks for events, and ends with its signal", async () => {
    server.answer({ ok: true });
    const stop = new AbortController();
    const response = await rest().open(["sessions", "a", "traffic"], stop.signal);
    expect([server.last?.path, server.last?.headers.get("accept")]).toEqual([
      "/base/v1/sessions/a/traffic",
      "text/event-stream",
    ]);
    expect(await response.json()).toEqual({ ok: true });
    server.answer({ code: "SESSION_NOT_FOUND", detail: "gone", details: {} }, 404);
    await expect(rest().open(["sessions", "a", "traffic"], stop.signal)).rejects.toEqual(refusal("SESSION_NOT_FOUND"));
  });

  test("[SDK-50] whose token was refused is made again with another, once", async () => {
    const names = ["old", "new", "newer"];
    const tokens = new Tokens(() => names.shift() ?? "none", 1000);
    const shown = (count: number): unknown[] =>
      server.asked.slice(-count).map(({ headers }) => headers.get("authorization"));
    const problem = { code: "UNAUTHENTICATED", detail: "The token has expired.", details: {} };
    server.answer(problem, 401).answer({ ok: true });
    expect(await rest({ tokens }).call("POST", ["contexts"], { body: { id: "a" } })).toEqual({ ok: true });
    expect([shown(2), server.asked.slice(-2).map(({ body }) => body)]).toEqual([
      ["Bearer old", "Bearer new"],
      [{ id: "a" }, { id: "a" }],
    ]);
    server.answer(problem, 401).answer(problem, 401);
    await expect(rest({ tokens }).call("GET", ["contexts"])).rejects.toEqual(refusal("UNAUTHENTICATED", "has expired"));
    expect(shown(2)).toEqual(["Bearer new", "Bearer newer"]);
    const before = server.asked.length;
    server.answer(problem, 401);
    const only = rest({ tokens: new Tokens("only", 1000) });
    await expect(only.call("GET", ["contexts"])).rejects.toEqual(refusal("UNAUTHENTICATED"));
    expect(server.asked.length).toBe(before + 1);
  });

  test("never ends at another address than the steps say", async () => {
    const before = server.asked.length;
    for (const step of ["", ".", ".."])
      await expect(rest().call("DELETE", ["contexts", "plan", "checkpoints", step])).rejects.toEqual(
        refusal("INVALID_REQUEST"),
      );
    expect(server.asked).toHaveLength(before);
  });
});

describe("[SDK-25] an answer", () => {
  test("that refuses is the server's error", async () => {
    server.answer({ code: "VERSION_NOT_FOUND", detail: "Look.", details: { oldest: 3 } }, 404);
    await expect(rest().call("GET", ["contexts"])).rejects.toMatchObject({
      code: "VERSION_NOT_FOUND",
      message: "Look.",
      details: { oldest: 3 },
    });
  });

  test("that is not of our server, or broke off, is none", async () => {
    for (const body of ["<html>", "", "{"]) {
      server.answer(body, 200);
      await expect(rest().call("GET", ["contexts"])).rejects.toEqual(refusal("UNREACHABLE", "not this service"));
    }
    server.answer({ code: "MADE_UP" }, 500);
    await expect(rest().call("GET", ["contexts"])).rejects.toEqual(refusal("UNREACHABLE", "500"));
    server.breakOff();
    await expect(rest().call("GET", ["contexts"])).rejects.toEqual(refusal("UNREACHABLE", "broke off"));
    await expect(rest().call("GET", ["contexts"])).rejects.toEqual(refusal("UNREACHABLE", "does not answer"));
  });
});
