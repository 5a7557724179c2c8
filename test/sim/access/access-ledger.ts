/**
 * What is known of one context's access list while a run goes on, and what follows from it at once.
 *
 *  S5 ACL-2 ACL-8   who may not read is told nothing, from the moment on at which the list that says so was answered
 *  S5 ACL-3         who may, for as long as anybody knows, is not refused
 */
import type { Acl } from "../../../shared/permission.ts";
import type { Violate } from "../log-replay.ts";
import { rightsOf } from "./rights.ts";
import type { ActorRights } from "./rights.ts";

interface AccessScene {
  nowMs(): number;
}

/** Since when a list is known to hold. */
interface Known {
  readonly acl: Acl | undefined;
  readonly sinceMs: number;
}

/** A request for another list. */
interface AskedList {
  /** It is answered that it holds. */
  readonly set: (acl: Acl) => void;
  /** Whether it holds is not known: the next that is answered will tell. */
  readonly lost: () => void;
}

export class AccessLedger {
  readonly #violate: Violate;
  readonly #scene: AccessScene;
  /** Absent where nobody asks for rights. */
  #creator: string | undefined;
  #known: Known | undefined;
  #underWay = 0;

  constructor(violate: Violate, scene: AccessScene) {
    this.#violate = violate;
    this.#scene = scene;
  }

  get creator(): string | undefined {
    return this.#creator;
  }

  /** Some list is asked for, and may hold yet. */
  get isChanging(): boolean {
    return this.#underWay > 0;
  }

  /** From now on rights matter. */
  begin(creator: string): void {
    this.#creator = creator;
    this.#known = { acl: undefined, sinceMs: this.#scene.nowMs() };
  }

  /** Somebody asks for another list: until it is answered it may hold or not. */
  asks(): AskedList {
    this.#underWay++;
    this.#known = undefined;
    let isOpen = true;
    const end = (known: Known | undefined): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#underWay--;
      this.#known = this.#underWay === 0 ? known : undefined;
    };
    return {
      set: (acl) => end({ acl, sinceMs: this.#scene.nowMs() }),
      lost: () => end(undefined),
    };
  }

  /** What an actor may for certain do, since before that moment; undefined when nobody can tell. */
  rightsOf(actor: string, sinceMs: number): ActorRights | undefined {
    if (this.#creator === undefined || this.#known === undefined || this.#known.sinceMs >= sinceMs) return undefined;
    return rightsOf(this.#known.acl, this.#creator, actor);
  }

  /** Something of the context leaves the server for an actor, who asked at `sinceMs`, or whom it is told unasked. */
  shows(party: string, actor: string, sinceMs = Infinity): void {
    if (this.rightsOf(actor, sinceMs)?.mayRead === false)
      this.#violate("S5 ACL-2", `${party} is told something, and ${actor} may not read`);
  }

  /** An edit at these places, made at `sinceMs`, was refused for want of rights. */
  refused(
    party: string,
    actor: string,
    { places, sinceMs }: { readonly places: readonly string[]; readonly sinceMs: number },
  ): void {
    const rights = this.rightsOf(actor, sinceMs);
    if (rights !== undefined && places.length > 0 && places.every((place) => rights.mayWriteAt(place)))
      this.#violate("S5 ACL-3", `${party} edited ${places.join()}, where ${actor} may write, and was refused`);
  }
}
