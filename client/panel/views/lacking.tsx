/** Why there are no figures: the server has none, or not for who asks. */
import type { Problem } from "../store/problem.ts";
import { Empty, ProblemNote } from "./bits.tsx";

interface LackingProps {
  readonly what: string;
  readonly problem: Problem | undefined;
}

export function Lacking({ what, problem }: LackingProps) {
  if (problem?.code === "NOT_FOUND")
    return (
      <Empty title={`This server does not tell of ${what}`}>It is older than this panel. Update it to see them.</Empty>
    );
  if (problem?.code === "FORBIDDEN")
    return (
      <Empty title={`Your token may not see ${what}`}>
        They concern the server as a whole, so they are for its admins.
      </Empty>
    );
  return <ProblemNote problem={problem} />;
}
