/**
 * What somebody does when it turns to rights: most of the time an admin, now and then somebody who may or may not be one.
 */
import type { Caller } from "../../../server/context-service.ts";
import type { ContextId } from "../../../shared/ids.ts";
import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import { forceRelease, revokeToken, setList } from "./access-errands.ts";
import { drawAcl } from "./access-habits.ts";

interface Turn {
  readonly world: World;
  readonly random: Random;
  readonly contextId: ContextId;
  /** Who made the context. */
  readonly maker: string;
  /** Admin of the server as a whole. */
  readonly warden: Caller;
  /** Everybody else. */
  readonly actors: readonly string[];
}

export function turnToAccess({ world, random, contextId, maker, warden, actors }: Turn): void {
  const somebody = random.pick(actors) ?? maker;
  const desk = (actor: string) => ({ world, caller: world.callerOf(actor), contextId });
  const drawn = random.below(100);
  if (drawn < 60) world.go(setList(desk(maker), drawAcl(random, actors), 1));
  else if (drawn < 70) world.go(setList(desk(somebody), drawAcl(random, actors), 1));
  else if (drawn < 85) world.go(revokeToken({ world, caller: warden }, random));
  else world.go(forceRelease(desk(drawn < 93 ? maker : somebody), random));
}
