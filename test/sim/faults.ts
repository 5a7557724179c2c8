/**
 * The faults: each strikes once, at the moment the seed drew for it. How bad they get is part of the fault model, which
 * never exceeds what the server promises to withstand.
 */
import type { Fault } from "./nature.ts";
import type { SimClient } from "./sim-client.ts";
import type { Stage } from "./stage.ts";

const FULL_MS_MAX = 3000;
const STALL_MS_MAX = 40_000;
/** A silent line is noticed by the client after 30 s, by the server's pings within 60. */
const SILENT_CLIENT_MS_MAX = 20_000;
const SILENT_SERVER_MS_MAX = 60_000;
const NOTICED_MS_MAX = 200;
const SKEW_MS_MAX = 100_000;

type Strike = (stage: Stage, client: SimClient) => void;

const STRIKES: Readonly<Record<Fault, Strike>> = {
  crash: ({ world }) => world.crash(),
  stop: ({ world }) => world.stop(),
  cut: ({ random }, { currentLink }) => {
    currentLink?.cut({ clientMs: random.below(NOTICED_MS_MAX), serverMs: random.below(NOTICED_MS_MAX) });
  },
  "half-open": ({ random }, { currentLink }) => {
    currentLink?.cut({ clientMs: random.below(SILENT_CLIENT_MS_MAX), serverMs: random.below(SILENT_SERVER_MS_MAX) });
  },
  stall: ({ random }, { currentLink }) => currentLink?.stall(random.below(STALL_MS_MAX)),
  leave: ({ world, random, nature }, client) => {
    client.disconnect();
    world.after(random.below(20 * nature.paceMsMax), () => client.connect());
  },
  reload: (stage, client) => stage.reload(client),
  "disk full": ({ world, random }) => {
    world.disk.isFull = true;
    world.after(random.below(FULL_MS_MAX), () => {
      world.disk.isFull = false;
    });
  },
  clock: ({ world, random }) => world.setSkew(random.between(-SKEW_MS_MAX, SKEW_MS_MAX)),
  feed: ({ random, callers }) => random.pick(callers)?.breakFeed(),
  // no fault, but a look at what a crash would leave
  probe: ({ world }) => world.go(world.probe()),
};

export function strike(fault: Fault, stage: Stage): void {
  const client = stage.random.pick(stage.clients);
  if (client === undefined) return;
  stage.world.note(`${fault} ${client.identity.name}`);
  STRIKES[fault](stage, client);
}
