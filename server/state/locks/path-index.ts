/**
 * Which values lie at a path, above it or below it: a tree of the paths' steps.
 *
 * Invariants (LOCK):
 *  1. A question costs the steps of its path, and one more for each value it meets.
 */
import { parsePath } from "../../../shared/path.ts";

interface Node<Value> {
  /** Values at exactly this path. */
  readonly own: Set<Value>;
  readonly children: Map<string, Node<Value>>;
}

export class PathIndex<Value> {
  readonly #root: Node<Value> = newNode();

  add(path: string, value: Value): void {
    let node = this.#root;
    for (const step of parsePath(path)) {
      let child = node.children.get(step);
      if (child === undefined) node.children.set(step, (child = newNode()));
      node = child;
    }
    node.own.add(value);
  }

  /** What is left empty goes. */
  delete(path: string, value: Value): void {
    const steps = parsePath(path);
    const way = [this.#root];
    for (const step of steps) {
      const child = way.at(-1)?.children.get(step);
      if (child === undefined) return;
      way.push(child);
    }
    way.at(-1)?.own.delete(value);
    for (let depth = steps.length; depth > 0; depth--) {
      const node = way[depth];
      if (node === undefined || node.own.size > 0 || node.children.size > 0) return;
      way[depth - 1]?.children.delete(steps[depth - 1] ?? "");
    }
  }

  /** Values whose path and this one overlap (shared/path.ts); one with several such paths comes several times. */
  *overlapping(path: string): Generator<Value> {
    let node = this.#root;
    for (const step of parsePath(path)) {
      yield* node.own;
      const child = node.children.get(step);
      if (child === undefined) return;
      node = child;
    }
    yield* valuesIn(node);
  }
}

function* valuesIn<Value>(node: Node<Value>): Generator<Value> {
  yield* node.own;
  for (const child of node.children.values()) yield* valuesIn(child);
}

function newNode<Value>(): Node<Value> {
  return { own: new Set(), children: new Map() };
}
