/**
 * Somebody who asks for the past of a context, in a process of its own: reads, compares, restores, blames, again and again.
 *
 * 1. No request is answered from a cache: each asks for other versions, and each blame comes after a restore.
 * 2. One request follows the other as soon as it is answered.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { constants, setPriority } from "node:os";
import { percentile } from "./stats.ts";

export const VISITS = ["read", "diff", "restore", "blame"] as const;
export type Visit = (typeof VISITS)[number];

/** What the process is told, and what it answers when it has stopped. */
export type Order = "go" | "stop";
export type Report = { readonly took: Readonly<Record<Visit, readonly number[]>> } | { readonly failed: string };

export class PastVisitor {
  readonly #process: ChildProcess;
  #took = new Map<Visit, number[]>();

  constructor(context: URL, version: number) {
    const program = new URL("past-visits.ts", import.meta.url);
    this.#process = fork(program, [context.href, String(version)], { execArgv: ["--import", "tsx"] });
    setPriority(this.#process.pid ?? 0, constants.priority.PRIORITY_LOW);
  }

  /** Visits until `other` is settled, and to the end of the visit that is then under way. */
  async during<Result>(other: Promise<Result>): Promise<Result> {
    this.#process.send("go" satisfies Order);
    try {
      return await other;
    } finally {
      this.#process.send("stop" satisfies Order);
      this.#note(await this.#report());
    }
  }

  /** What was measured so far. */
  forget(): void {
    this.#took = new Map();
  }

  median(visit: Visit): number {
    return percentile(this.#took.get(visit) ?? [], 0.5);
  }

  end(): void {
    this.#process.kill();
  }

  async #report(): Promise<Report> {
    const ended = once(this.#process, "exit").then(([code]): Report => ({ failed: `The visitor ended with ${code}.` }));
    return Promise.race([once(this.#process, "message").then(([report]) => report as Report), ended]);
  }

  #note(report: Report): void {
    if ("failed" in report) throw new Error(report.failed);
    for (const visit of VISITS)
      this.#took.set(visit, [...(this.#took.get(visit) ?? []), ...(report.took[visit] ?? [])]);
  }
}
