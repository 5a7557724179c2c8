/**
 * The contexts of the server: found by text and type, with what is going on in each.
 *
 * Not here: an open context (open-context.ts).
 */
import { computed, signal } from "@preact/signals-core";
import type { ContextList as ContextPage, ListedContextInfo } from "../../../shared/protocol/rest.ts";
import type { Machine, Stop } from "./machine.ts";
import { Poll } from "./poll.ts";
import type { Link } from "./sign-in.ts";

const EVERY_MS = 2000;
const PAGE_MAX = 500;
/** 10,000 contexts: further ones are found by text. */
const PAGES_MAX = 20;

export const ORDERS = ["updated", "id", "type", "version", "size", "sessions", "locks", "conflicts"] as const;
export type Order = (typeof ORDERS)[number];

type Compare = (a: ListedContextInfo, b: ListedContextInfo) => number;

interface Found {
  readonly contexts: readonly ListedContextInfo[];
  /** There are more than are listed. */
  readonly isCut: boolean;
}

export class ContextList {
  readonly text = signal("");
  readonly type = signal("");
  readonly order = signal<Order>("updated");
  readonly #poll: Poll<Found>;
  readonly #machine: Machine;
  readonly #link: Link;
  #cancel: Stop = () => {};

  constructor(machine: Machine, link: Link) {
    this.#machine = machine;
    this.#link = link;
    this.#poll = new Poll(machine, EVERY_MS, () => this.#find());
  }

  readonly rows = computed((): readonly ListedContextInfo[] | undefined => {
    const found = this.#poll.value.value;
    const order = this.order.value;
    return found && [...found.contexts].sort(COMPARE[order]);
  });

  readonly types = computed((): readonly string[] => {
    const named = (this.#poll.value.value?.contexts ?? []).flatMap(({ type }) => (type === undefined ? [] : [type]));
    return [...new Set([...named, ...(this.type.value === "" ? [] : [this.type.value])])].sort();
  });

  readonly isCut = computed(() => this.#poll.value.value?.isCut === true);

  readonly problem = computed(() => this.#poll.problem.value);

  /** Ends with what it returns. */
  start(): Stop {
    const stop = this.#poll.start();
    return () => {
      this.#cancel();
      stop();
    };
  }

  find(text: string, type: string): void {
    this.text.value = text;
    this.type.value = type;
    this.#cancel();
    this.#cancel = this.#machine.after(TYPING_MS, () => this.#poll.again());
  }

  async #find(): Promise<Found> {
    const query = this.text.peek().trim();
    const type = this.type.peek();
    const filter = { ...(query === "" ? {} : { query }), ...(type === "" ? {} : { type }) };
    const contexts: ListedContextInfo[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < PAGES_MAX; page++) {
      const asked = { ...filter, include: "figures", limit: PAGE_MAX, ...(cursor === undefined ? {} : { cursor }) };
      const found = await this.#link.call<ContextPage>("GET", ["contexts"], { query: asked });
      contexts.push(...found.contexts);
      cursor = found.next;
      if (cursor === undefined) return { contexts, isCut: false };
    }
    return { contexts, isCut: true };
  }
}

/** Between the last key and the question. */
const TYPING_MS = 150;

/** More than a context is told to have. */
const CONFLICTS_MAX = 1000;

const COMPARE: Readonly<Record<Order, Compare>> = {
  updated: (a, b) => compare(b.updatedAt, a.updatedAt) || compare(a.id, b.id),
  id: (a, b) => compare(a.id, b.id),
  type: (a, b) => compare(a.type ?? "\uffff", b.type ?? "\uffff") || compare(a.id, b.id),
  version: most(({ version }) => version),
  size: most(({ figures }) => figures?.diskBytes),
  sessions: most(({ figures }) => figures?.sessions),
  locks: most(({ figures }) => figures?.locks),
  // those that somebody has to decide about first
  conflicts: most(({ figures }) => {
    const { open, recent } = figures?.conflicts ?? { open: -1, recent: 0 };
    return open * CONFLICTS_MAX + recent;
  }),
};

/** What is not known comes last. */
function most(figureOf: (context: ListedContextInfo) => number | undefined): Compare {
  return (a, b) => (figureOf(b) ?? -1) - (figureOf(a) ?? -1) || compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
