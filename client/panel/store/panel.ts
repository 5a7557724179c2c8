/**
 * The panel's state as a whole: who looks, at what, and what is open for that.
 *
 * Invariant (PANEL): what a view needs of the server is asked for while the view is open, and no longer.
 *
 * Not here: what the views show (their files), drawing (views/).
 */
import { signal } from "@preact/signals-core";
import type { ReadonlySignal } from "@preact/signals-core";
import { ContextList } from "./context-list.ts";
import type { Machine } from "./machine.ts";
import { Notices } from "./notices.ts";
import { OpenContext } from "./open-context.ts";
import { hrefOf, routeOf } from "./route.ts";
import type { Route } from "./route.ts";
import { SignIn } from "./sign-in.ts";
import type { Link } from "./sign-in.ts";

/** What there is for somebody who is in. */
export interface Desk {
  readonly link: Link;
  readonly contexts: ContextList;
}

export class Panel {
  readonly machine: Machine;
  readonly signIn: SignIn;
  readonly notices: Notices;
  readonly #route = signal<Route>({ view: "contexts" });
  readonly #desk = signal<Desk | undefined>(undefined);
  readonly #open = signal<OpenContext | undefined>(undefined);

  constructor(machine: Machine) {
    this.machine = machine;
    this.signIn = new SignIn(machine);
    this.notices = new Notices(machine);
    this.signIn.standing.subscribe((standing) => this.#enter(standing.is === "in" ? standing.link : undefined));
  }

  get route(): ReadonlySignal<Route> {
    return this.#route;
  }

  /** Undefined while nobody is in. */
  get desk(): ReadonlySignal<Desk | undefined> {
    return this.#desk;
  }

  /** That of the route. */
  get open(): ReadonlySignal<OpenContext | undefined> {
    return this.#open;
  }

  /** The address says another view. */
  went(hash: string): void {
    const route = routeOf(hash);
    if (hrefOf(route) === hrefOf(this.#route.peek())) return;
    this.#route.value = route;
    this.#follow();
  }

  #enter(link: Link | undefined): void {
    if (this.#desk.peek()?.link === link) return;
    this.#leave();
    this.#desk.value = link && { link, contexts: new ContextList(this.machine, link) };
    this.#follow();
  }

  /** The context of the route is open, and no other. */
  #follow(): void {
    const route = this.#route.peek();
    const link = this.#desk.peek()?.link;
    const id = route.view === "context" ? route.id : undefined;
    if (this.#open.peek()?.id === id && this.#open.peek()?.link === link) return;
    this.#leave();
    if (id === undefined || link === undefined) return;
    const { machine, notices } = this;
    const opened = new OpenContext(id, { machine, notices, link });
    this.#open.value = opened;
    void opened.open();
  }

  #leave(): void {
    void this.#open.peek()?.close();
    this.#open.value = undefined;
  }
}
