/**
 * The changes of a context, the newest first: those that come are put in front, older ones are fetched when somebody asks.
 *
 * Invariants (PANEL):
 *  1. The list has no gap: when one is seen it is fetched anew.
 *  2. It is drawn once a picture, and holds a bounded number of changes.
 *
 * Not here: what the document was (past-document.ts).
 */
import { signal } from "@preact/signals-core";
import type { ChangeRecord } from "../../../shared/change.ts";
import { overlaps, parsePath } from "../../../shared/path.ts";
import type { Stop } from "./machine.ts";
import type { OpenContext } from "./open-context.ts";
import { problemOf } from "./problem.ts";
import type { Problem } from "./problem.ts";

export interface ChangeFilter {
  /** "" is everybody. */
  readonly actor: string;
  /** "" is everywhere. */
  readonly path: string;
}

const PAGE = 200;
const CHANGES_MAX = 5000;

export class NewestChanges {
  readonly filter = signal<ChangeFilter>({ actor: "", path: "" });
  readonly list = signal<readonly ChangeRecord[] | undefined>(undefined);
  /** There are older ones. */
  readonly hasMore = signal(false);
  readonly problem = signal<Problem | undefined>(undefined);
  /** Whoever was seen here, for choosing. */
  readonly actors = signal<readonly string[]>([]);
  readonly #opened: OpenContext;
  readonly #waiting: ChangeRecord[] = [];
  #head = 0;
  #life = 0;
  #cancel: Stop | undefined;

  constructor(opened: OpenContext) {
    this.#opened = opened;
  }

  /** Ends with what it returns. */
  start(): Stop {
    const unsubscribe = this.#opened.happenings.on("changes", (changes) => {
      this.#waiting.push(...changes);
      this.#soon();
    });
    void this.#load();
    return () => {
      this.#life++;
      this.#cancel?.();
      unsubscribe();
    };
  }

  find(filter: ChangeFilter): void {
    this.filter.value = filter;
    this.list.value = undefined;
    void this.#load();
  }

  /** Older ones. */
  async more(): Promise<void> {
    const oldest = this.list.peek()?.at(-1)?.version;
    if (oldest !== undefined && this.hasMore.peek()) await this.#load(oldest);
  }

  async #load(before?: number): Promise<void> {
    const life = ++this.#life;
    const { actor, path } = this.filter.peek();
    const wanted = {
      ...(actor === "" ? {} : { actor }),
      ...(path === "" ? {} : { path }),
      ...(before === undefined ? {} : { before }),
    };
    try {
      const head = this.#opened.version.peek();
      const page = await this.#opened.context.history({ ...wanted, order: "newest", limit: PAGE });
      if (life !== this.#life) return;
      const known = before === undefined ? [] : (this.list.peek() ?? []);
      if (before === undefined) this.#head = Math.max(head, page.changes[0]?.version ?? 0);
      this.#put([...known, ...page.changes], page.next !== undefined);
      this.#meet(page.changes);
      this.problem.value = undefined;
    } catch (error) {
      if (life === this.#life) this.problem.value = problemOf(error);
    }
  }

  #soon(): void {
    this.#cancel ??= this.#opened.machine.frame(() => {
      this.#cancel = undefined;
      this.#take();
    });
  }

  #take(): void {
    const known = this.list.peek();
    const news = this.#waiting.splice(0).filter(({ version }) => version > this.#head);
    const [first] = news;
    // while a page is on its way, it brings them
    if (known === undefined || first === undefined) return;
    if (first.version > this.#head + 1) return void this.#load();
    this.#head = news.at(-1)?.version ?? this.#head;
    this.#meet(news);
    const shown = news.filter((change) => this.#isWanted(change)).reverse();
    if (shown.length > 0) this.#put([...shown, ...known], this.hasMore.peek());
  }

  #put(changes: readonly ChangeRecord[], hasMore: boolean): void {
    this.list.value = changes.slice(0, CHANGES_MAX);
    this.hasMore.value = hasMore || changes.length > CHANGES_MAX;
  }

  #meet(changes: readonly ChangeRecord[]): void {
    const known = this.actors.peek();
    const met = new Set([...known, ...changes.map(({ actor }) => actor)]);
    if (met.size > known.length) this.actors.value = [...met].sort();
  }

  #isWanted({ actor, paths }: ChangeRecord): boolean {
    const filter = this.filter.peek();
    if (filter.actor !== "" && filter.actor !== actor) return false;
    const place = parsePath(filter.path);
    return paths.some((path) => overlaps(parsePath(path), place));
  }
}
