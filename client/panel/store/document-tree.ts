/**
 * A document as lines: which values are unfolded, and what each line says. For live documents and for past ones.
 *
 * Invariants (PANEL):
 *  1. A change makes anew the lines of the container it was made in, and the one that stands for it, and no others; many changes within one picture cost one look.
 *  2. What was unfolded stays so when the document changes, and when it comes back after being gone.
 *
 * Not here: how values are read (tree-values.ts), drawing (views/tree.tsx).
 */
import { signal } from "@preact/signals-core";
import type { ReadonlySignal } from "@preact/signals-core";
import { formatPath, parsePath } from "../../../shared/path.ts";
import type { Machine, Stop } from "./machine.ts";
import { childrenOf, headOf, isContainer, kindOf, sizeOf } from "./tree-values.ts";
import type { Child, Kind } from "./tree-values.ts";

export interface TreeLine {
  readonly path: string;
  readonly key: string;
  readonly depth: number;
  readonly kind: Kind;
  readonly isOpen: boolean;
  readonly size: number;
  readonly head: string;
  /** The value, as the document has it. */
  readonly value: unknown;
}

/** What is unfolded at first: what is near the top, as long as it gives no more lines than these. */
const FIRST_LINES = 120;

/** Unfolding everything stops here. */
const LINES_MAX = 50_000;

export class DocumentTree {
  readonly #roots: () => readonly Child[];
  readonly #frame: Machine["frame"];
  readonly #lines = signal<readonly TreeLine[]>([]);
  readonly #open = new Set<string>();
  /** Lines of what lies directly below a path. */
  readonly #known = new Map<string, readonly TreeLine[]>();
  readonly #touched = new Set<string>();
  #cancel: Stop | undefined;

  constructor(roots: () => readonly Child[], frame: Machine["frame"]) {
    this.#roots = roots;
    this.#frame = frame;
    this.unfoldFirst();
  }

  get lines(): ReadonlySignal<readonly TreeLine[]> {
    return this.#lines;
  }

  /** Something changed at these paths; "" is everything. */
  changed(paths: readonly string[]): void {
    for (const path of paths) this.#touched.add(path);
    this.#soon();
  }

  toggle(path: string): void {
    if (!this.#open.delete(path)) this.#open.add(path);
    this.#forget(path);
    this.#draw();
  }

  /** Unfolds whatever lies above it. */
  reveal(path: string): void {
    const steps = parsePath(path);
    for (let length = 1; length < steps.length; length++) this.#open.add(formatPath(steps.slice(0, length)));
    this.#known.clear();
    this.#draw();
  }

  foldAll(): void {
    this.#open.clear();
    this.#known.clear();
    this.#draw();
  }

  /** What is near the top, for a document that has only come now. */
  unfoldFirst(): void {
    this.#unfold(FIRST_LINES, FIRST_LINES / 4);
    this.#known.clear();
    this.#draw();
  }

  unfoldAll(): void {
    this.#unfold(LINES_MAX, LINES_MAX);
    this.#known.clear();
    this.#draw();
  }

  stop(): void {
    this.#cancel?.();
  }

  #soon(): void {
    this.#cancel ??= this.#frame(() => {
      this.#cancel = undefined;
      for (const path of this.#touched) this.#forget(path);
      this.#renew(new Set(Array.from(this.#touched, above)));
      this.#touched.clear();
      this.#draw();
    });
  }

  /** The lines that stand for these containers: they may have another size. */
  #renew(containers: ReadonlySet<string>): void {
    for (const path of new Set(Array.from(containers, above))) {
      const lines = this.#known.get(path);
      if (lines === undefined) continue;
      const renewed = lines.map((line) => (containers.has(line.path) ? this.#lineOf(line, line.depth) : line));
      this.#known.set(path, renewed);
    }
  }

  /** The lines below a path, and that which stands for it. */
  #forget(path: string): void {
    if (path === "") return this.#known.clear();
    if (this.#known.has(path)) {
      for (const known of this.#known.keys()) if (known.startsWith(`${path}/`)) this.#known.delete(known);
    }
    this.#known.delete(path);
    this.#known.delete(above(path));
    // other roots are listed beside what is in `data`
    if (path.startsWith("@")) this.#known.delete("");
  }

  #draw(): void {
    const lines: TreeLine[] = [];
    this.#add(lines, this.#linesOf("", 0, this.#roots));
    this.#lines.value = lines;
  }

  #add(lines: TreeLine[], some: readonly TreeLine[]): void {
    for (const line of some) {
      lines.push(line);
      if (line.isOpen)
        this.#add(
          lines,
          this.#linesOf(line.path, line.depth + 1, () => childrenOf(line.path, line.value)),
        );
    }
  }

  #linesOf(path: string, depth: number, children: () => readonly Child[]): readonly TreeLine[] {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const lines = children().map((child) => this.#lineOf(child, depth));
    this.#known.set(path, lines);
    return lines;
  }

  #lineOf({ path, key, value }: Child, depth: number): TreeLine {
    const kind = kindOf(value);
    const isOpen = isContainer(kind) && this.#open.has(path);
    const head = isContainer(kind) ? "" : headOf(value);
    return {
      path,
      key,
      depth,
      kind,
      isOpen,
      head,
      value,
      size: sizeOf(value),
    };
  }

  /** Level by level, leaving folded what has more than `sizeMax` lines of its own. What is empty shows what comes into it. */
  #unfold(linesMax: number, sizeMax: number): void {
    let level = [...this.#roots()];
    let left = linesMax - level.length;
    while (level.length > 0 && left > 0) {
      const next: Child[] = [];
      for (const { path, value } of level) {
        const size = sizeOf(value);
        if (!isContainer(kindOf(value)) || size > Math.min(left, sizeMax)) continue;
        this.#open.add(path);
        next.push(...childrenOf(path, value));
        left -= size;
      }
      level = next;
    }
  }
}

/** The path of what holds it. */
function above(path: string): string {
  return formatPath(parsePath(path).slice(0, -1));
}
