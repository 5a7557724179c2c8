/** The CLI in this process, in a world of memory, on a server that runs. */
import { runCli } from "../../server/cli/program.ts";
import { noServer, TestIo } from "../integration/cli-harness.ts";

export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly io: TestIo;
}

export async function mcm(
  url: string,
  args: readonly string[],
  prepare: (io: TestIo) => void = () => {},
): Promise<Printed> {
  const io = new TestIo({ MCM_URL: url, MCM_ACTOR: "zoë" });
  prepare(io);
  const code = await runCli(args, { io, start: noServer });
  return { code, out: io.lines.join("\n"), err: io.errors.join("\n"), io };
}
