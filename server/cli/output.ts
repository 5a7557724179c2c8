/**
 * How results look to people: safe text, tables, lines of changes.
 *
 * What other people wrote (names, messages, actors, data) is stripped of control characters: a terminal obeys some of them.
 *
 * Not here: tables of the past and of conflicts (history-output.ts).
 */
import type picocolors from "picocolors";
import type { ChangeView, ListedContextInfo } from "../../shared/protocol/rest.ts";

export type Colors = ReturnType<typeof picocolors.createColors>;

export function safe(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "\u{fffd}");
}

/** JSON that says the same and holds no control character: JSON.stringify escapes those below a space only. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replaceAll(
    /[\u007f-\u009f]/g,
    (char) => `\\u00${char.charCodeAt(0).toString(16)}`,
  );
}

/** Columns as wide as their widest cell; the first row is the heading. */
export function table(rows: readonly (readonly string[])[], color: Colors): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return lines.map((line, index) => (index === 0 ? color.dim(line) : line)).join("\n");
}

/** With figures when one has them. What is not known is "-". */
export function contextTable(contexts: readonly ListedContextInfo[], color: Colors): string {
  const hasFigures = contexts.some(({ figures }) => figures !== undefined);
  const rows = contexts.map(({ id, version, updatedAt, name = "", tags, figures }) => [
    id,
    String(version),
    updatedAt,
    ...(hasFigures ? figureCells(figures) : []),
    safe(name),
    safe(tags.join(",")),
  ]);
  const heads = hasFigures ? ["BYTES", "SESSIONS", "LOCKS", "CONFLICTS", "OPEN"] : [];
  return table([["ID", "VERSION", "UPDATED", ...heads, "NAME", "TAGS"], ...rows], color);
}

function figureCells(figures: ListedContextInfo["figures"]): readonly string[] {
  const { diskBytes, sessions, locks, conflicts } = figures ?? {};
  return [diskBytes, sessions, locks, conflicts?.recent, conflicts?.open].map((figure) => String(figure ?? "-"));
}

export function changeLine({ version, at, actor, origin, paths, message }: ChangeView, color: Colors): string {
  const why = message === undefined ? "" : `  ${safe(message)}`;
  return `${color.bold(String(version))}  ${color.dim(at)}  ${color.cyan(safe(actor))} ${color.dim(origin)}  ${pathsText(paths)}${why}`;
}

export function pathsText(paths: readonly string[]): string {
  return paths.map(pathText).join(" ");
}

export function pathText(path: string): string {
  return path === "" ? '""' : safe(path);
}

export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MB`;
}
