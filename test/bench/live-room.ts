/**
 * One writer and many readers in a room, in windows: how long updates take while something else does or does not go on.
 *
 * 1. Latency is measured as in fan-out: from giving a frame to the writer's socket to having read it from the receiver's.
 * 2. A window ends when all of its updates have arrived everywhere, so windows do not run into each other.
 */
import { LoadClient } from "./load-client.ts";
import type { Room } from "./load-client.ts";
import { atRate, Goal } from "./pace.ts";
import { joinAll } from "./scenario.ts";
import { Receiver, typing } from "./updates.ts";

interface LiveRoomOptions {
  readonly readers: number;
  readonly perSecond: number;
  /** Of all windows together, at most. */
  readonly seconds: number;
}

export class LiveRoom {
  readonly #options: LiveRoomOptions;
  readonly #writer: LoadClient;
  readonly #frames: readonly Buffer[];
  readonly #sentAt: number[] = [];
  readonly #clients: LoadClient[] = [];
  #latencies: number[] = [];
  #goal = new Goal(0);

  private constructor(options: LiveRoomOptions, writer: LoadClient) {
    this.#options = options;
    this.#writer = writer;
    this.#frames = typing(0, options.perSecond * options.seconds).map((update) => writer.updateFrame(update));
  }

  static async open(room: Room, options: LiveRoomOptions): Promise<LiveRoom> {
    const writer = await LoadClient.join(room);
    await writer.synced;
    const live = new LiveRoom(options, writer);
    live.#clients.push(writer, ...(await joinAll(room, options.readers, () => live.#handlers())));
    return live;
  }

  /** Types for so long; resolves with the latency of each update to each reader. */
  async window(seconds: number): Promise<readonly number[]> {
    const { perSecond, readers } = this.#options;
    const count = seconds * perSecond;
    this.#latencies = [];
    this.#goal = new Goal(count * readers);
    await atRate(perSecond, count, () => this.#sendNext());
    await this.#goal.reached;
    return this.#latencies;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #handlers() {
    const receiver = new Receiver(-1, (_, sequence) => {
      this.#latencies.push(performance.now() - (this.#sentAt[sequence] ?? 0));
    });
    return { onContent: (message: Buffer) => this.#goal.add(receiver.see(message)) };
  }

  #sendNext(): void {
    const frame = this.#frames[this.#sentAt.length];
    if (frame === undefined) throw new Error("The windows are longer than was said.");
    this.#sentAt.push(performance.now());
    this.#writer.send(frame);
  }
}
