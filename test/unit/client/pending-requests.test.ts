/** Requests over the WebSocket: sent again until answered, and never too many at once. */
import { describe, expect, test } from "vitest";
import { PendingRequests } from "../../../client/pending-requests.ts";
import type { OutgoingRequest } from "../../../client/pending-requests.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";

/** A connection that keeps what is sent on it. */
interface Line {
  readonly sent: OutgoingRequest[];
  readonly ids: () => number[];
  readonly send: (request: OutgoingRequest) => void;
}

function line(): Line {
  const sent: OutgoingRequest[] = [];
  return { sent, ids: () => sent.map(({ id }) => id), send: (request) => void sent.push(request) };
}

/** For requests that are about no lock. */
const PLACES = LIMITS.requestsInFlightMax - 2 * LIMITS.sessionLeasesMax;

const CLOSED = new ServiceError("CLOSED", "closed");

describe("[SDK-9] requests", () => {
  test("wait for a connection, and go out in order", async () => {
    const requests = new PendingRequests();
    const first = requests.request("a", 1);
    void requests.request("b", 2).catch(() => {});
    const { sent, send } = line();
    requests.connected(send);
    expect(sent.map(({ method, params }) => [method, params])).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
    requests.answered({ id: sent[0]?.id ?? 0, ok: true, result: "yes" });
    await expect(first).resolves.toBe("yes");
  });

  test("that got no answer are sent again unchanged, answered ones are not", () => {
    const requests = new PendingRequests();
    const before = line();
    requests.connected((request) => before.send(request));
    for (const method of ["a", "b", "c"]) void requests.request(method, { key: method });
    requests.answered({ id: before.ids()[1] ?? 0, ok: true, result: null });
    requests.connectionLost();
    const after = line();
    requests.connected((request) => after.send(request));
    expect(after.sent.map(({ id, method, params }) => ({ id, method, params }))).toEqual(
      [before.sent[0], before.sent[2]].map((request) => ({
        id: request?.id,
        method: request?.method,
        params: request?.params,
      })),
    );
  });

  test("are under way in limited number", () => {
    const requests = new PendingRequests();
    const { ids, send } = line();
    requests.connected(send);
    for (let i = 0; i < PLACES + 2; i++) void requests.request("a", i);
    expect(ids()).toHaveLength(PLACES);
    requests.answered({ id: 1, ok: true, result: null });
    expect(ids()).toHaveLength(PLACES + 1);
    requests.connectionLost();
    const after = line();
    requests.connected((request) => after.send(request));
    expect(after.ids()).toHaveLength(PLACES);
  });

  test("that were abandoned keep their place until they are answered", async () => {
    const requests = new PendingRequests();
    const { ids, send } = line();
    requests.connected(send);
    const controller = new AbortController();
    const abandoned = requests.request("a", 0, { signal: controller.signal });
    for (let i = 0; i < PLACES; i++) void requests.request("a", i);
    controller.abort(new Error("enough"));
    await expect(abandoned).rejects.toThrow("enough");
    expect(ids()).toHaveLength(PLACES);
    requests.answered({ id: 1, ok: true, result: null });
    expect(ids()).toHaveLength(PLACES + 1);
  });

  test("with a signal that has fired are not sent", async () => {
    const requests = new PendingRequests();
    const { sent, send } = line();
    requests.connected(send);
    await expect(requests.request("a", 0, { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
    expect(sent).toEqual([]);
  });

  test("are refused with the server's code and details", async () => {
    const requests = new PendingRequests();
    requests.connected(() => {});
    const refused = requests.request("a", 0);
    requests.answered({
      id: 1,
      ok: false,
      error: { code: "VERSION_CONFLICT", message: "moved", details: { currentVersion: 7 } },
    });
    await expect(refused).rejects.toMatchObject({
      code: "VERSION_CONFLICT",
      message: "moved",
      details: { currentVersion: 7 },
    });
  });

  test("[SDK-10] all fail at the end, later ones too", async () => {
    const requests = new PendingRequests();
    const early = requests.request("a", 0);
    requests.fail(CLOSED, true);
    await expect(early).rejects.toBe(CLOSED);
    await expect(requests.request("b", 0)).rejects.toBe(CLOSED);
  });

  test("[SDK-12] fail once when the context was made anew, and go on after", async () => {
    const requests = new PendingRequests();
    const early = requests.request("a", 0);
    requests.fail(CLOSED, false);
    await expect(early).rejects.toBe(CLOSED);
    const { ids, send } = line();
    requests.connected(send);
    void requests.request("b", 0);
    expect(ids()).toEqual([2]);
  });
});
