/**
 * Refused edits, against the log and against what everybody was shown (P2).
 *
 *  VOID-1  a void says nothing: Yjs clocks without content and deletes, after which everything reads as before
 *  VOID-2  what it stands for is in no change, and was sent to nobody but its author
 *  SDK-11  an edit that was told to be saved is in the log once, one that was told to be refused is not, one that was given
 *          back by its client is not to be seen; and there is no fourth
 *
 * Not here: that replicas are equal after it (settled.ts), whose locks were in the way (locks/lock-audit.ts).
 */
import * as Y from "yjs";
import type { LogEntry } from "../../../server/storage/change-log.ts";
import type { Ledger } from "../ledger.ts";
import type { LogReplay, Violate } from "../log-replay.ts";
import { marksIn } from "./edit-ledger.ts";
import type { Edit } from "./edit-ledger.ts";

interface RefusalAuditOptions {
  readonly ledger: Ledger;
  readonly replay: LogReplay;
  readonly violate: Violate;
}

type Clocks = Map<number, number>;

/** The void's position, and one of the items that it stands for. */
interface Voided {
  readonly seq: number;
  readonly item: Y.Item;
}

export class RefusalAudit {
  readonly #ledger: Ledger;
  readonly #replay: LogReplay;
  readonly #violate: Violate;
  #read = 0;
  /** Of the epoch that is read. */
  #known: Clocks = new Map();
  /** Marks of edits that came live into the log: how often they were new there. */
  readonly #live = new Map<string, number>();
  /** Marks that came by other ways, such as an edit that was carried over to a new epoch. */
  readonly #other = new Set<string>();
  /** Marks of what voids stand for. */
  readonly #voided = new Map<string, Voided>();

  constructor({ ledger, replay, violate }: RefusalAuditOptions) {
    this.#ledger = ledger;
    this.#replay = replay;
    this.#violate = violate;
  }

  /** After the replay has read on. */
  check(): void {
    const { entries } = this.#replay;
    for (const entry of entries.slice(this.#read)) this.#apply(entry);
    this.#read = entries.length;
  }

  checkSettled(): void {
    for (const [mark, { seq }] of this.#voided) this.#checkVoided(mark, seq);
    for (const [mark, edit] of this.#ledger.edits.edits) this.#checkFate(mark, edit);
  }

  #checkFate(mark: string, edit: Edit): void {
    const { party, fate } = edit;
    const times = this.#live.get(mark) ?? 0;
    if (fate === "open") this.#violate("S9 SDK-11", `${party} was not told what became of its edit ${mark}`);
    if (fate === "saved") this.#checkSaved(mark, edit, times);
    if (fate === "refused" && times > 0)
      this.#violate("P2 VOID-2", `edit ${mark} of ${party} was refused, and is in the log`);
    const isSeen = marksIn(this.#replay.contentAt(this.#replay.version) ?? "").has(mark);
    if (fate === "returned" && isSeen && !this.#other.has(mark))
      this.#violate("P2 SDK-11", `edit ${mark} of ${party} was given back, and is there`);
  }

  #checkSaved(mark: string, { party, hasContent }: Edit, times: number): void {
    // one that was refused unheard and lost its place meanwhile cannot be told from one that was taken and deleted
    const isFine = !hasContent || times === 1 || (times === 0 && this.#hasLostItsPlace(mark));
    if (!isFine) this.#violate("P2 SDK-11", `edit ${mark} of ${party} was saved, and is in the log ${times} times`);
  }

  #checkVoided(mark: string, seq: number): void {
    if ((this.#live.get(mark) ?? 0) > 0)
      this.#violate("P2 VOID-2", `edit ${mark} was voided by entry ${seq}, and is in the log`);
    // asked for once more as a JSON change, it is shown as that
    if (this.#other.has(mark)) return;
    const { authors, readers } = this.#ledger.edits.knowers(mark);
    const others = [...readers].filter((party) => !authors.has(party));
    if (others.length > 0)
      this.#violate("P2 VOID-2", `edit ${mark} was voided by entry ${seq}, and shown to ${others.join()}`);
  }

  #apply(entry: LogEntry): void {
    if (entry.kind === "void") this.#checkVoid(entry);
    if (entry.kind === "change" && entry.origin === "sync")
      for (const mark of this.#newIn(entry.update)) this.#live.set(mark, (this.#live.get(mark) ?? 0) + 1);
    if (entry.kind === "change" && entry.origin !== "sync")
      for (const mark of marksIn(entry.update)) this.#other.add(mark);
    if (entry.kind === "epoch") this.#known = new Map();
    for (const [client, clock] of Y.parseUpdateMeta(entry.update).to)
      this.#known.set(client, Math.max(clock, this.#known.get(client) ?? 0));
  }

  #checkVoid({ seq, update, message }: LogEntry): void {
    const { structs, ds } = Y.decodeUpdate(update);
    const { moments } = this.#replay;
    // the JSON's part of a view; deletions are in the rest
    const [before, after] = [moments[seq - 1], moments[seq]].map((moment) => moment?.view.split("/")[0]);
    if (ds.clients.size > 0 || structs.some((struct) => !(struct instanceof Y.GC)) || before !== after)
      this.#violate("P2 VOID-1", `entry ${seq}, a void for ${message}, says something`);
    for (const { id, length } of structs) {
      const isVoided = (struct: Struct): boolean =>
        struct.id.client === id.client &&
        struct.id.clock < id.clock + length &&
        struct.id.clock + struct.length > id.clock;
      const sent = this.#ledger.edits.sent.get(id.client) ?? [];
      for (const item of sent.flatMap((it) => itemsIn(it, isVoided)))
        for (const mark of marksOf(item)) this.#voided.set(mark, { seq, item });
    }
  }

  #hasLostItsPlace(mark: string): boolean {
    const { store } = this.#replay.doc;
    const now = (id: unknown): Struct | undefined => {
      if (!(id instanceof Y.ID)) return undefined;
      const structs = id.clock < Y.getState(store, id.client) ? store.clients.get(id.client) : undefined;
      return structs?.[Y.findIndexSS(structs, id.clock)];
    };
    const item = this.#voided.get(mark)?.item;
    return (
      [item?.origin, item?.rightOrigin].some((id) => now(id) instanceof Y.GC) || now(item?.parent)?.deleted === true
    );
  }

  #newIn(update: Uint8Array): ReadonlySet<string> {
    const isNew = ({ id, length }: Struct): boolean => id.clock + length > (this.#known.get(id.client) ?? 0);
    return new Set(itemsIn(update, isNew).flatMap((item) => [...marksOf(item)]));
  }
}

type Struct = ReturnType<typeof Y.decodeUpdate>["structs"][number];

function itemsIn(update: Uint8Array, isWanted: (struct: Struct) => boolean): readonly Y.Item[] {
  return Y.decodeUpdate(update).structs.filter((struct) => struct instanceof Y.Item && isWanted(struct)) as Y.Item[];
}

/** Marks in its content, and in the key under which it stands. */
function marksOf({ parentSub, content }: Y.Item): ReadonlySet<string> {
  const said = content instanceof Y.ContentString ? content.str : content instanceof Y.ContentAny ? content.arr : null;
  return marksIn(JSON.stringify([parentSub, said]));
}
