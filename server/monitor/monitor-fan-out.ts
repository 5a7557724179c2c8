/** The port as the parts see it: everything is counted, and what is worth a line is logged as well. */
import type { Monitor } from "../monitor-port.ts";
import type { EventLog } from "./event-log.ts";
import type { Counts } from "./metrics/counts.ts";

export function monitorFanOut(counts: Counts, log: EventLog): Monitor {
  const both =
    <Told>(count: (told: Told) => void, line: (told: Told) => void) =>
    (told: Told): void => {
      count(told);
      line(told);
    };
  return {
    engine: counts.engine,
    operated: both(
      (it) => counts.operated(it),
      (it) => log.operated(it),
    ),
    requested: (it) => counts.requested(it),
    settled: both(
      (it) => counts.settled(it),
      (it) => log.settled(it),
    ),
    refused: both(
      (it) => counts.refused(it),
      (it) => log.refused(it),
    ),
    conflicted: both(
      (it) => counts.conflicted(it),
      (it) => log.conflicted(it),
    ),
    committed: (it) => counts.committed(it),
    commitFailed: () => counts.commitFailed(),
    checkpointed: (isMade) => counts.checkpointed(isMade),
    damaged: (contextId) => counts.damaged(contextId),
    undamaged: (contextId) => counts.undamaged(contextId),
    cacheRead: (cache, isHit) => counts.cacheRead(cache, isHit),
    contextLoaded: both(
      () => counts.contextLoaded(),
      (it) => log.contextLoaded(it),
    ),
    contextLeft: both(
      (it) => counts.contextLeft(it),
      (it) => log.contextLeft(it),
    ),
    sessionOpened: both(
      (it) => counts.sessionOpened(it),
      (it) => log.sessionOpened(it),
    ),
    sessionEnded: both(
      (it) => counts.sessionEnded(it),
      (it) => log.sessionEnded(it),
    ),
    fellBehind: both(
      () => counts.fellBehind(),
      (it) => log.fellBehind(it),
    ),
    caughtUp: () => counts.caughtUp(),
    propagated: (it) => counts.propagated(it),
    lockAsked: () => counts.lockAsked(),
    working: (pool) => counts.working(pool),
  };
}
