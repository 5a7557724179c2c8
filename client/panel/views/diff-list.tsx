/** A difference, place by place: what was, and what is then. */
import type { Json } from "../../../shared/json.ts";
import type { DiffLine } from "../store/diff-lines.ts";
import { Empty } from "./bits.tsx";

const SIGNS = { added: "+", removed: "−", changed: "±" } as const;

export function DiffList({ lines }: { readonly lines: readonly DiffLine[] }) {
  if (lines.length === 0) return <Empty title="No difference">The two are the same.</Empty>;
  return (
    <ul class="diff" aria-label="Difference" tabIndex={0}>
      {lines.map((line, index) => (
        <li key={`${line.path} ${index}`} class={`diff-line ${line.kind}`}>
          <span class="diff-sign" aria-hidden="true">
            {SIGNS[line.kind]}
          </span>
          <span class="visually-hidden">{line.kind}</span>
          <code class="diff-path">{line.path === "" ? "/" : line.path}</code>
          <Sides line={line} />
        </li>
      ))}
    </ul>
  );
}

function Sides({ line: { before, after } }: { readonly line: DiffLine }) {
  const [was, is] = trimmed(before, after);
  return (
    <div class="diff-sides">
      {was !== undefined && <del>{was}</del>}
      {is !== undefined && <ins>{is}</ins>}
    </div>
  );
}

const SHOWN_CHARS = 400;
const AROUND_CHARS = 24;

/** Of two long texts, the part that differs and a little around it. */
function trimmed(before: Json | undefined, after: Json | undefined): [string | undefined, string | undefined] {
  if (typeof before !== "string" || typeof after !== "string") return [textOf(before), textOf(after)];
  let start = 0;
  while (start < before.length && before[start] === after[start]) start++;
  let end = 0;
  const room = Math.min(before.length, after.length) - start;
  while (end < room && before.at(-1 - end) === after.at(-1 - end)) end++;
  const from = Math.max(0, start - AROUND_CHARS);
  const keep = Math.max(0, end - AROUND_CHARS);
  const cut = (text: string): string =>
    `${from > 0 ? "…" : ""}${text.slice(from, text.length - keep).slice(0, SHOWN_CHARS)}${keep > 0 ? "…" : ""}`;
  return [cut(before), cut(after)];
}

function textOf(value: Json | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = typeof value === "string" ? value : JSON.stringify(value, undefined, 1);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
