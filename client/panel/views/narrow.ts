/** Whether the page is as narrow as a telephone. */
import { signal } from "@preact/signals";

const query = globalThis.matchMedia("(max-width: 720px)");

export const isNarrow = signal(query.matches);
query.addEventListener("change", ({ matches }) => {
  isNarrow.value = matches;
});
