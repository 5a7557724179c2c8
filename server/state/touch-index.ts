/**
 * Who last wrote where: what a write that names a version is checked against.
 *
 * Invariants (PRE):
 *  1. It knows every change after `floor`. A change before it may be forgotten, never one after it.
 *  2. A question costs as many steps as its path has, however many paths were written.
 *
 * A tree of path steps. A write at a node hides what was written below it before: whoever asks there meets the newer one
 * on the way down.
 *
 * Not here: changes before `floor` (the log has them).
 */
import type { Actor } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { parsePath } from "../../shared/path.ts";
import type { Steps } from "../../shared/path.ts";

export interface LastWrite {
  readonly version: number;
  readonly actor: Actor;
  readonly atMs: number;
  readonly path: string;
}

interface Node {
  /** The newest write at this very path. */
  own: LastWrite | undefined;
  /** The newest write at or below it. */
  newest: LastWrite | undefined;
  /** Most nodes have none, and an empty Map is not free. */
  children: Map<string, Node> | undefined;
}

export class TouchIndex {
  readonly #pathsMax: number;
  #floor: number;
  #root: Node = newNode();
  #paths = 0;
  /** Where the last write was, and the nodes on the way: who types writes there again. */
  #last: { readonly path: string; readonly nodes: readonly Node[] } | undefined;

  constructor(floor: number, pathsMax: number = LIMITS.touchIndexPathsMax) {
    this.#floor = floor;
    this.#pathsMax = pathsMax;
  }

  get floor(): number {
    return this.#floor;
  }

  /** Writes come in order of version. */
  record(paths: readonly string[], { version, actor, atMs }: Omit<LastWrite, "path">): void {
    for (const path of paths) this.#insert({ version, actor, atMs, path });
    if (this.#paths > this.#pathsMax) this.#forgetOlderHalf();
  }

  /** The newest write at, above or below the path. */
  newestAt(path: string): LastWrite | undefined {
    return this.#newestAt(parsePath(path));
  }

  #newestAt(steps: Steps): LastWrite | undefined {
    let node = this.#root;
    let newest: LastWrite | undefined;
    for (const step of steps) {
      newest = newer(newest, node.own);
      const child = node.children?.get(step);
      if (child === undefined) return newest;
      node = child;
    }
    return newer(newest, node.newest);
  }

  #insert(write: LastWrite): void {
    if (this.#last?.path !== write.path) this.#last = { path: write.path, nodes: this.#wayTo(write.path) };
    const { nodes } = this.#last;
    for (const node of nodes) node.newest = write;
    const node = nodes.at(-1);
    if (node !== undefined) node.own = write;
  }

  /** Root first. What was written below the last one is forgotten. */
  #wayTo(path: string): readonly Node[] {
    let node = this.#root;
    const nodes = [node];
    for (const step of parsePath(path)) {
      let child = node.children?.get(step);
      if (child === undefined) (node.children ??= new Map()).set(step, (child = newNode()));
      nodes.push((node = child));
    }
    if (node.own === undefined) this.#paths++;
    if (node.children !== undefined) {
      this.#paths -= countBelow(node);
      node.children = undefined;
    }
    return nodes;
  }

  #forgetOlderHalf(): void {
    const writes = writesOf(this.#root).sort((a, b) => a.version - b.version);
    this.#floor = writes[writes.length >> 1]?.version ?? this.#floor;
    this.#root = newNode();
    this.#paths = 0;
    this.#last = undefined;
    for (const write of writes) if (write.version > this.#floor) this.#insert(write);
  }
}

function newNode(): Node {
  return { own: undefined, newest: undefined, children: undefined };
}

function newer(a: LastWrite | undefined, b: LastWrite | undefined): LastWrite | undefined {
  return b !== undefined && (a === undefined || b.version > a.version) ? b : a;
}

/** As deep as a path has steps at most. */
function writesOf(node: Node): LastWrite[] {
  const below = [...(node.children?.values() ?? [])].flatMap(writesOf);
  return node.own === undefined ? below : [node.own, ...below];
}

function countBelow(node: Node): number {
  let count = 0;
  for (const child of node.children?.values() ?? []) count += (child.own === undefined ? 0 : 1) + countBelow(child);
  return count;
}
