/**
 * The views of a context's past, in the shapes of shared/protocol/rest-history.ts.
 */
import type { Authorship, BlameLine, Diff, KeptPath, NamedCheckpoint } from "../../../shared/history.ts";
import type { BlameView, CheckpointView, DiffView, RevertResult } from "../../../shared/protocol/rest-history.ts";
import type { RevertOutcome } from "../../context-service.ts";
import { isoTime } from "../../../shared/iso-time.ts";

export function diffView({ from, to, path, changes }: Diff): DiffView {
  return { from, to, path, changes: [...changes] };
}

export function revertResult({ version, changes, kept, dryRun }: RevertOutcome): RevertResult {
  return { version, changes: [...changes], kept: kept.map(keptView), dryRun };
}

function keptView({ path, reason, by }: KeptPath): RevertResult["kept"][number] {
  return { path, reason, ...(by === undefined ? {} : { by: authorship(by) }) };
}

export function blameView({ version, lines }: { version: number; lines: readonly BlameLine[] }): BlameView {
  return { version, lines: lines.map(blameLine) };
}

function blameLine({ path, index, start, text, ...by }: BlameLine): BlameView["lines"][number] {
  return {
    path,
    ...(index === undefined ? {} : { index }),
    ...(start === undefined ? {} : { start }),
    ...(text === undefined ? {} : { text }),
    ...authorship(by),
  };
}

function authorship({ version, actor, atMs, message }: Authorship) {
  return {
    ...(version === undefined ? {} : { version }),
    ...(actor === undefined ? {} : { actor }),
    ...(atMs === undefined ? {} : { at: isoTime(atMs) }),
    ...(message === undefined ? {} : { message }),
  };
}

export function checkpointView({ name, version, seq, actor, atMs, message }: NamedCheckpoint): CheckpointView {
  return { name, version, seq, actor, at: isoTime(atMs), ...(message === undefined ? {} : { message }) };
}
