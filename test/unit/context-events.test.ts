/** Who is told what happens to contexts, and how a slow follower is told. */
import { expect, test } from "vitest";
import { AccessWatch } from "../../server/context/access-watch.ts";
import { ContextEvents } from "../../server/context/context-events.ts";
import type { ContextEvent } from "../../server/context-service.ts";
import { PendingEvents } from "../../server/transport/rest/events.ts";
import type { ContextEventKind, ContextMeta } from "../../shared/context.ts";
import { ServiceError } from "../../shared/errors.ts";
import { ANONYMOUS, parseContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { caller } from "../support/service-rig.ts";

const metaOf = (id: string): ContextMeta => ({
  id: parseContextId(id),
  tags: [],
  createdAtMs: 0,
  createdBy: ANONYMOUS,
  epoch: 1,
  firstEpoch: 1,
  authorSalt: 0,
});

const event = (kind: ContextEventKind, id: string): ContextEvent => ({ kind, id: parseContextId(id) });

test("[EVENT-2] who may not read a context is told nothing of it, from the next event on", () => {
  const events = new ContextEvents(new AccessWatch(new ManualClock()));
  const shared = (...names: string[]): ContextMeta => ({
    ...metaOf("plan"),
    acl: { grants: names.map((principal) => ({ principal, role: "reader" as const })) },
  });
  const told: string[] = [];
  for (const name of ["ada", "bob", "eve"])
    events.watch(caller(name), { tell: ({ kind }) => told.push(`${name} ${kind}`), ended: () => undefined });
  events.emit(shared("ada", "bob"), "changed");
  events.emit(shared("ada"), "access");
  events.emit(shared("ada"), "deleted");
  expect(told).toEqual(["ada changed", "bob changed", "ada access", "ada deleted"]);
});

test("[EVENT-5] what another server may have told in vain is told to every watcher as missed", () => {
  let gap = (): void => undefined;
  const peers = { say: () => undefined, hear: () => undefined, onGap: (listener: () => void) => (gap = listener) };
  const events = new ContextEvents(new AccessWatch(new ManualClock()), peers);
  const told: string[] = [];
  for (const name of ["ada", "bob"])
    events.watch(caller(name), { tell: ({ kind }) => told.push(`${name} ${kind}`), ended: () => undefined });
  gap();
  expect(told).toEqual(["ada missed", "bob missed"]);
});

test("who stops watching is told nothing more, who watches to the end is told of it", () => {
  const events = new ContextEvents(new AccessWatch(new ManualClock()));
  const told: string[] = [];
  const watch = (name: string) =>
    events.watch(caller(name), {
      tell: ({ kind }) => told.push(`${name} ${kind}`),
      ended: ({ code }) => told.push(`${name} ${code}`),
    });
  watch("ada");
  const stop = watch("bob");
  stop();
  events.emit(metaOf("plan"), "created");
  events.close(new ServiceError("SHUTTING_DOWN", "The server is stopping."));
  events.emit(metaOf("plan"), "changed");
  expect(told).toEqual(["ada created", "ada SHUTTING_DOWN"]);
});

test("[EVENT-3] a slow follower is told each kind once for each context, at its newest place, and then why it ended", () => {
  const pending = new PendingEvents();
  for (const [kind, id] of [
    ["changed", "a"],
    ["changed", "b"],
    ["locks", "a"],
    ["changed", "a"],
  ] as const)
    pending.tell(event(kind, id));
  pending.ended(new ServiceError("SHUTTING_DOWN", "The server is stopping."));
  expect([pending.take(), pending.take(), pending.take()]).toEqual([
    { kind: "changed", id: "b" },
    { kind: "locks", id: "a" },
    { kind: "changed", id: "a" },
  ]);
  expect(() => pending.take()).toThrow("stopping");
});

test("[EVENT-5] a slow follower who missed something is told so once, after what is known", () => {
  const pending = new PendingEvents();
  for (const it of [{ kind: "missed" }, event("changed", "a"), { kind: "missed" }] as const) pending.tell(it);
  expect([pending.take(), pending.take(), pending.take()]).toEqual([
    event("changed", "a"),
    { kind: "missed" },
    undefined,
  ]);
});

test("[EVENT-3] at pendingEventsMax all is told, one more and the follower missed something", () => {
  const pending = new PendingEvents();
  const tell = (n: number): void => pending.tell(event("changed", `c${n}`));
  for (let n = 0; n < LIMITS.pendingEventsMax; n++) tell(n);
  expect(pending.take()).toEqual({ kind: "changed", id: "c0" });
  tell(LIMITS.pendingEventsMax);
  tell(LIMITS.pendingEventsMax + 1);
  expect([pending.take(), pending.take()]).toEqual([{ kind: "missed" }, undefined]);
});
