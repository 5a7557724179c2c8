/**
 * What happened between this server, others of the same data, and their database; part of counts.ts.
 *
 * Not here: names, units and help (engine-families.ts).
 */
import type { EngineMonitor, EngineTurn, HintOutcome } from "../../monitor-port.ts";
import { Latency } from "./latency.ts";
import { Tally } from "./tally.ts";

export class EngineCounts implements EngineMonitor {
  readonly phases = { lock: new Latency(), decide: new Latency(), commit: new Latency() };
  turns = 0;
  turnMs = 0;
  contexts = 0;
  contended = 0;
  readonly failures = new Tally(["kind"]);
  readonly hints = { sent: 0, heard: 0, lost: 0 };
  entriesFollowed = 0;
  readonly follows = new Latency();

  turned({ contexts, contended, lockMs, decideMs, commitMs }: EngineTurn): void {
    this.phases.lock.observe(lockMs);
    this.phases.decide.observe(decideMs);
    this.phases.commit.observe(commitMs);
    this.turns++;
    this.turnMs += lockMs + decideMs + commitMs;
    this.contexts += contexts;
    this.contended += contended;
  }

  failed(kind: string): void {
    this.failures.add([kind]);
  }

  hinted(outcome: HintOutcome, count: number): void {
    this.hints[outcome] += count;
  }

  followed(entries: number, durationMs: number): void {
    this.entriesFollowed += entries;
    this.follows.observe(durationMs);
  }
}
