/**
 * The traffic of one live session, as its frames come: followed while somebody looks, and kept to a bound.
 *
 * Invariants (PANEL):
 *  1. Frames are drawn once a picture, however many come; of all that came only the newest are kept.
 *  2. While it is paused what is shown stands still. What comes meanwhile is kept too, to the same bound, and shown afterwards.
 *  3. The end of the session, of the feed, or of the right to it is said, and what came before it stays.
 *
 * Not here: what a frame says (frame-saying.ts).
 */
import { computed, signal } from "@preact/signals-core";
import type { ReadonlySignal } from "@preact/signals-core";
import type { SessionView } from "../../../shared/protocol/rest-monitoring.ts";
import type { MissedFramesView, SessionEndView, SessionFrameView } from "../../../shared/protocol/rest-traffic.ts";
import type { FrameDirection, FrameName } from "../../../shared/traffic.ts";
import { readEvents } from "../../event-stream.ts";
import type { ServerEvent } from "../../event-stream.ts";
import type { Machine, Stop } from "./machine.ts";
import { problemOf } from "./problem.ts";
import type { Problem } from "./problem.ts";
import type { Link } from "./sign-in.ts";

/** Some KB each at most. */
const LINES_MAX = 5000;

/** A frame, or how many are missing; `n` numbers them as they came. */
export type TrafficLine =
  | { readonly n: number; readonly frame: SessionFrameView }
  | { readonly n: number; readonly missed: number };

export type Following =
  | { readonly is: "asking" }
  | { readonly is: "live" }
  | { readonly is: "ended"; readonly end: SessionEndView }
  | { readonly is: "broken"; readonly problem: Problem };

export interface FrameFilter {
  /** "" is both. */
  readonly direction: FrameDirection | "";
  /** "" is all. */
  readonly type: FrameName | "";
}

export class SessionTraffic {
  readonly filter = signal<FrameFilter>({ direction: "", type: "" });
  readonly #machine: Machine;
  readonly #link: Pick<Link, "open">;
  readonly #id: string;
  readonly #following = signal<Following>({ is: "asking" });
  readonly #session = signal<SessionView | undefined>(undefined);
  readonly #isPaused = signal(false);
  readonly #chosen = signal<number | undefined>(undefined);
  /** Newest first. */
  readonly #shown = signal<readonly TrafficLine[]>([]);
  /** Of all that came, and of those that are shown. */
  readonly #count = signal({ all: 0, shown: 0 });
  /** In the order in which they came. */
  #kept: TrafficLine[] = [];
  #n = 0;
  #over = new AbortController();
  #cancelDrawing: Stop | undefined;

  constructor(machine: Machine, link: Pick<Link, "open">, id: string) {
    this.#machine = machine;
    this.#link = link;
    this.#id = id;
  }

  get following(): ReadonlySignal<Following> {
    return this.#following;
  }

  /** As it was when it began to be followed. */
  get session(): ReadonlySignal<SessionView | undefined> {
    return this.#session;
  }

  get isPaused(): ReadonlySignal<boolean> {
    return this.#isPaused;
  }

  /** What came, and how much of it while the picture stood still. */
  readonly count = computed(() => {
    const { all, shown } = this.#count.value;
    return { all, waiting: all - shown };
  });

  /** Newest first: those that the filter lets through, and every gap. */
  readonly lines = computed((): readonly TrafficLine[] => {
    const { direction, type } = this.filter.value;
    return this.#shown.value.filter(
      (line) =>
        "missed" in line ||
        ((direction === "" || line.frame.direction === direction) && (type === "" || line.frame.type === type)),
    );
  });

  /** Types that were seen, for choosing. */
  readonly types = computed((): readonly FrameName[] => {
    const { type } = this.filter.value;
    const seen = this.#shown.value.flatMap((line) => ("missed" in line ? [] : [line.frame.type]));
    return [...new Set([...seen, ...(type === "" ? [] : [type])])].sort();
  });

  readonly chosen = computed(() => this.#shown.value.find(({ n }) => n === this.#chosen.value));

  /** Ends with what it returns. */
  start(): Stop {
    this.again();
    return () => {
      this.#over.abort();
      this.#cancelDrawing?.();
      this.#cancelDrawing = undefined;
    };
  }

  /** After it broke off. */
  again(): void {
    this.#over.abort();
    this.#over = new AbortController();
    this.#following.value = { is: "asking" };
    void this.#follow(this.#over.signal);
  }

  pause(): void {
    this.#isPaused.value = true;
  }

  goOn(): void {
    this.#isPaused.value = false;
    this.#draw();
  }

  /** Looking at one needs the others to stand still. */
  choose(line: TrafficLine): void {
    this.#chosen.value = line.n;
    this.pause();
  }

  clear(): void {
    this.#kept = [];
    this.#draw();
  }

  async #follow(over: AbortSignal): Promise<void> {
    try {
      const { body } = await this.#link.open(["sessions", this.#id, "traffic"], over);
      for await (const event of readEvents(chunksOf(body))) {
        if (over.aborted) return;
        this.#take(event);
      }
      if (this.#following.peek().is === "live") this.#broken(new Error("The server ended the feed."));
    } catch (error) {
      if (!over.aborted) this.#broken(error);
    }
  }

  /** The server's word is taken as what the address promises, as everywhere in the SDK. */
  #take({ event, data }: ServerEvent): void {
    switch (event) {
      case "session":
        this.#session.value = JSON.parse(data) as SessionView;
        this.#following.value = { is: "live" };
        return;
      case "frame":
        return this.#add({ n: ++this.#n, frame: JSON.parse(data) as SessionFrameView });
      case "missed":
        return this.#add({ n: ++this.#n, missed: (JSON.parse(data) as MissedFramesView).frames });
      case "ended":
        this.#following.value = { is: "ended", end: JSON.parse(data) as SessionEndView };
        return;
      case "problem": {
        const { code, detail } = JSON.parse(data) as { readonly code: Problem["code"]; readonly detail: string };
        this.#following.value = { is: "broken", problem: { code, text: detail } };
      }
    }
  }

  #broken(error: unknown): void {
    this.#following.value = { is: "broken", problem: problemOf(error) };
  }

  #add(line: TrafficLine): void {
    this.#kept.push(line);
    // now and then, not at each
    if (this.#kept.length > LINES_MAX + SPARE) this.#kept.splice(0, this.#kept.length - LINES_MAX);
    this.#cancelDrawing ??= this.#machine.frame(() => this.#draw());
  }

  #draw(): void {
    this.#cancelDrawing?.();
    this.#cancelDrawing = undefined;
    const { shown } = this.#count.peek();
    const isStill = this.#isPaused.peek() && this.#kept.length > 0;
    this.#count.value = { all: this.#n, shown: isStill ? shown : this.#n };
    if (!isStill) this.#shown.value = this.#kept.slice(-LINES_MAX).reverse();
  }
}

const SPARE = 1000;

/** Not every browser iterates over streams. */
async function* chunksOf(body: Response["body"]): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) yield next.value;
}
