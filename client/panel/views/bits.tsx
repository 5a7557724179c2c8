/** Small things that all views are made of. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Problem } from "../store/problem.ts";
import { agoText, clockText } from "../store/when.ts";
import { Icon } from "./icon.tsx";

/** Advances once a second, for what is said of time. */
const now = signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);

export function nowMs(): number {
  return Math.max(now.value, 0);
}

const HUES = 8;

/** The same for an actor wherever it is shown. */
export function hueOf(actor: string): string {
  let sum = 0;
  for (const char of actor) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 9973;
  return `hue-${sum % HUES}`;
}

export function Actor({ name }: { readonly name: string }) {
  return (
    <span class={`actor ${hueOf(name)}`}>
      <span class="dot" aria-hidden="true" />
      {name}
    </span>
  );
}

export function Ago({ atMs }: { readonly atMs: number }) {
  return <time title={clockText(atMs)}>{agoText(atMs, nowMs())}</time>;
}

export function Pill({
  tone,
  children,
}: {
  readonly tone?: "good" | "warn" | "bad" | "info" | undefined;
  readonly children: ComponentChildren;
}) {
  return <span class={tone === undefined ? "pill" : `pill ${tone}`}>{children}</span>;
}

export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="empty" role="status">
      <strong>{title}</strong>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

/** Why there is nothing to see, or why what is seen is old. */
export function ProblemNote({ problem }: { readonly problem: Problem | undefined }) {
  if (problem === undefined) return null;
  return (
    <p class="problem" role="alert">
      <Icon name="warn" />
      <span>
        <code>{problem.code}</code> {problem.text}
      </span>
    </p>
  );
}

interface IconButtonProps {
  readonly icon: Parameters<typeof Icon>[0]["name"];
  readonly label: string;
  readonly onClick: () => void;
  readonly disabled?: boolean;
}

export function IconButton({ icon, label, onClick, disabled = false }: IconButtonProps) {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} onClick={onClick} disabled={disabled}>
      <Icon name={icon} />
    </button>
  );
}

/** Where somebody looks is theirs; what they copy, too. */
export async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}
