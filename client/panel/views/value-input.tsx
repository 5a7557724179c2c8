/** One value, edited in its line. Strings are edited as they read, all else as JSON. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Json } from "../../../shared/json.ts";
import type { Kind } from "../store/tree-values.ts";

/** Whether a value of this kind has a line to be edited in. */
export function inputFor(kind: Kind): boolean {
  return kind === "string" || kind === "number" || kind === "boolean" || kind === "null";
}

interface ValueInputProps {
  readonly kind: Kind;
  readonly value: unknown;
  readonly label: string;
  /** Undefined: it stays as it is. */
  readonly onDone: (value: Json | undefined) => void;
}

export function ValueInput({ kind, value, label, onDone }: ValueInputProps) {
  const before = kind === "string" ? String(value) : JSON.stringify(value);
  const text = useSignal(before);
  const problem = useSignal("");
  const input = useRef<HTMLInputElement>(null);
  const isOver = useRef(false);
  useEffect(() => input.current?.select(), []);
  const finish = (result: Json | undefined): void => {
    if (isOver.current) return;
    isOver.current = true;
    onDone(result);
  };
  const take = (): void => {
    if (text.peek() === before) return finish(undefined);
    if (kind === "string") return finish(text.peek());
    const parsed = parsedJson(text.peek());
    if (parsed === undefined) problem.value = 'Not JSON. Write text in "quotes".';
    else finish(parsed);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    event.stopPropagation();
    if (event.key === "Enter") take();
    else if (event.key === "Escape") finish(undefined);
  };
  return (
    <span
      class="value-input"
      onClick={(event) => event.stopPropagation()}
      onDblClick={(event) => event.stopPropagation()}
    >
      <input
        ref={input}
        aria-label={label}
        aria-invalid={problem.value !== ""}
        value={text.value}
        spellcheck={false}
        onInput={({ currentTarget }) => {
          text.value = currentTarget.value;
          problem.value = "";
        }}
        onKeyDown={onKeyDown}
        onBlur={() => (problem.peek() === "" ? take() : finish(undefined))}
      />
      {problem.value !== "" && (
        <span class="field-problem" role="alert">
          {problem.value}
        </span>
      )}
    </span>
  );
}

export function parsedJson(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
