/** The panel's few pictures, drawn as lines in the colour of the text. They are never alone: a word or a label goes with each. */
const PATHS = {
  copy: "M5.5 5.5V3h7v7H10M3.5 5.5h6.5V13H3.5z",
  check: "M3.5 8.5l3 3 6-7",
  close: "M4 4l8 8M12 4l-8 8",
  lock: "M4.5 7.5h7V13h-7zM6 7.5V5a2 2 0 0 1 4 0v2.5",
  plus: "M8 3.5v9M3.5 8h9",
  trash: "M3.5 4.5h9M6.5 4.5V3h3v1.5M5 4.5l.5 8.5h5l.5-8.5",
  edit: "M3.5 12.5l.5-2.5 6.5-6.5 2 2L6 12z",
  right: "M6 4l4 4-4 4",
  down: "M4 6l4 4 4-4",
  back: "M10 4L6 8l4 4",
  search: "M7 3.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM9.7 9.7l3 3",
  sun: "M8 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM8 1.8v1.4M8 12.8v1.4M1.8 8h1.4M12.8 8h1.4M3.6 3.6l1 1M11.4 11.4l1 1M3.6 12.4l1-1M11.4 4.6l1-1",
  moon: "M12.5 9.5A5 5 0 0 1 6.5 3.5a5 5 0 1 0 6 6z",
  half: "M8 3a5 5 0 1 1 0 10zM8 3a5 5 0 0 0 0 10",
  warn: "M8 3l5.5 9.5h-11zM8 6.5v3M8 11v.3",
  undo: "M5.5 4L3 6.5 5.5 9M3 6.5h6a3.5 3.5 0 0 1 0 7H6",
  pause: "M6 4v8M10 4v8",
  play: "M5.5 3.5l7 4.5-7 4.5z",
} as const;

export function Icon({ name }: { readonly name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
