/**
 * The scenarios in the order they run.
 *
 * Not here: which servers take part in one (plan.ts).
 */
import type { Scenario } from "./scenario.ts";
import { ack } from "./scenarios/ack.ts";
import { coldLoad } from "./scenarios/cold-load.ts";
import { compaction } from "./scenarios/compaction.ts";
import { conflict } from "./scenarios/conflict.ts";
import { history } from "./scenarios/history.ts";
import { idle } from "./scenarios/idle.ts";
import { lateJoin } from "./scenarios/late-join.ts";
import { locks } from "./scenarios/locks.ts";
import { rest } from "./scenarios/rest.ts";
import { rooms } from "./scenarios/rooms.ts";
import { saturation } from "./scenarios/saturation.ts";
import { fanOut, mesh } from "./scenarios/steady.ts";

export const SCENARIOS: readonly Scenario[] = [
  saturation,
  fanOut,
  mesh,
  rooms,
  idle,
  coldLoad,
  lateJoin,
  ack,
  rest,
  history,
  conflict,
  compaction,
  locks,
];
