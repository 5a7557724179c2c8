/** Light or dark: as the system has it, or as somebody chose for this browser. */
import { signal } from "@preact/signals";
import { Icon } from "./icon.tsx";

const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

/** Grows when colours are others: what is drawn on a canvas has to be drawn again. */
export const lookChanges = signal(0);
globalThis.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => lookChanges.value++);

const KEPT = "mcm.theme";
const theme = signal<Theme>("system");

/** Before anything is drawn. */
export function wearTheme(): void {
  const kept = localStorage.getItem(KEPT);
  wear(THEMES.find((name) => name === kept) ?? "system");
}

function wear(chosen: Theme): void {
  theme.value = chosen;
  lookChanges.value++;
  document.documentElement.dataset["theme"] = chosen;
  if (chosen === "system") localStorage.removeItem(KEPT);
  else localStorage.setItem(KEPT, chosen);
}

export function ThemeSwitch() {
  const at = theme.value;
  const next = THEMES[(THEMES.indexOf(at) + 1) % THEMES.length] ?? "system";
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={`Colours: ${at}. Change to ${next}`}
      onClick={() => wear(next)}
    >
      <Icon name={at === "dark" ? "moon" : at === "light" ? "sun" : "half"} />
    </button>
  );
}
