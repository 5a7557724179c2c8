/**
 * Webhooks on a log in memory, a clock that stands still and a target that answers as it is told.
 *
 * Not here: the service above them (service-rig.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS, type Limits } from "../../shared/limits.ts";
import type { Caller } from "../../server/context-service.ts";
import { TargetPolicy } from "../../server/outbound/target-policy.ts";
import type { NewEntry } from "../../server/storage/change-log.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";
import type { OutboxStore } from "../../server/webhooks/outbox.ts";
import { WebhookManager } from "../../server/webhooks/webhook-manager.ts";
import { callerOf } from "./callers.ts";
import { FakeTarget } from "./fake-target.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf } from "./log-fixtures.ts";
import { ManualClock } from "./manual-clock.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { turns } from "./service-rig.ts";

export const admin: Caller = callerOf("root");
const SECRET = "a secret of many characters";
const URL_A = "https://a.example/hook";

export type StoreCall = "list" | "summary" | "read" | "readRecord" | "listRecords" | "writeRecords";

export class WebhookRig {
  readonly clock = new ManualClock();
  readonly logger = new RecordingLogger();
  readonly target = new FakeTarget();
  readonly log = new MemoryChangeLog({ clock: this.clock });
  /** Called before a call reaches the log; what it throws is what the call rejects with. */
  beforeCall: (name: StoreCall) => void = () => {};
  manager: WebhookManager;
  readonly #limits: Limits;
  #callCount = 0;
  #life = { isOver: false };
  #entries = 0;

  private constructor(limits: Partial<Limits>) {
    this.#limits = { ...LIMITS, ...limits };
    this.manager = this.#newManager();
  }

  static async start(limits: Partial<Limits> = {}): Promise<WebhookRig> {
    const rig = new WebhookRig(limits);
    await rig.log.open();
    await rig.manager.start();
    return rig;
  }

  async close(): Promise<void> {
    await this.manager.close();
    await this.log.close();
  }

  /** Stops the server as it should be, and starts it again. */
  async restart(): Promise<void> {
    await this.manager.close();
    await this.#begin();
  }

  /** Ends the server in the middle of whatever it does, and starts it again: nothing of it goes on. */
  async crash(): Promise<void> {
    this.#life.isOver = true;
    await this.#begin();
  }

  async #begin(): Promise<void> {
    this.manager = this.#newManager();
    await this.manager.start();
  }

  async add(contexts: readonly string[] = ["*"], more: { url?: string; paths?: string[] } = {}): Promise<string> {
    const { id } = await this.manager.add(admin, { url: URL_A, secret: SECRET, contexts, ...more });
    await this.settle();
    return id;
  }

  async create(...ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.log.create(metaOf(id), emptyCheckpoint());
      this.manager.wake(idOf(id));
    }
  }

  /** Changes of a context, one after the other, each an append. */
  async change(id: string, count = 1, extra: Partial<NewEntry> = {}): Promise<void> {
    for (let i = 0; i < count; i++) await this.append(id, [entryOf(++this.#entries, extra)]);
  }

  async append(id: string, entries: readonly NewEntry[]): Promise<void> {
    const head = (await this.log.summary(idOf(id)))?.head;
    await this.log.append(idOf(id), { seq: head?.seq ?? 0 }, entries);
    this.manager.wake(idOf(id));
  }

  async remove(id: string): Promise<void> {
    await this.manager.deleting(idOf(id));
    await this.log.remove(idOf(id));
    this.manager.wake(idOf(id));
  }

  /** The log forgets what is before the entry after `seq`. */
  async thin(id: string, seq: number, version = seq): Promise<void> {
    const contextId: ContextId = idOf(id);
    const base = { ...emptyCheckpoint(), seq, version };
    await this.log.writeCheckpoint(contextId, base);
    await this.log.trim(contextId, base);
  }

  /** Lets everything that can happen now happen. */
  async settle(): Promise<void> {
    for (let still = 0; still < 5;) {
      const before = this.#callCount + this.target.requests.length;
      await turns(2);
      still = before === this.#callCount + this.target.requests.length ? still + 1 : 0;
    }
  }

  /** Moves time on in steps, with everything that happens in between. */
  async pass(ms: number, steps = 20): Promise<void> {
    for (let i = 0; i < steps; i++) {
      this.clock.advance(ms / steps);
      await this.settle();
    }
  }

  #newManager(): WebhookManager {
    const { clock, logger, target } = this;
    const life = { isOver: false };
    this.#life = life;
    return new WebhookManager({
      storage: this.#storeOf(life),
      clock: { ...timeOf(clock), setTimer: (ms, task) => clock.setTimer(ms, () => void (life.isOver || task())) },
      logger,
      policy: new TargetPolicy([]),
      limits: this.#limits,
      post: async (request) => {
        const answer = await target.post(request);
        return life.isOver ? never() : answer;
      },
    });
  }

  #storeOf(life: { readonly isOver: boolean }): OutboxStore {
    const { log } = this;
    const through = async <Result>(name: StoreCall, call: () => Promise<Result>): Promise<Result> => {
      if (life.isOver) return never();
      this.#callCount += 1;
      this.beforeCall(name);
      const result = await call();
      return life.isOver ? never() : result;
    };
    return {
      list: (...asked) => through("list", () => log.list(...asked)),
      summary: (...asked) => through("summary", () => log.summary(...asked)),
      read: (...asked) => through("read", () => log.read(...asked)),
      readRecord: (...asked) => through("readRecord", () => log.readRecord(...asked)),
      listRecords: (...asked) => through("listRecords", () => log.listRecords(...asked)),
      writeRecords: (...asked) => through("writeRecords", () => log.writeRecords(...asked)),
    };
  }
}

function timeOf(clock: ManualClock) {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    defer: (task: () => void) => clock.defer(task),
    newId: () => clock.newId(),
    randomUint32: () => clock.randomUint32(),
  };
}

function never(): Promise<never> {
  return new Promise(() => {});
}
