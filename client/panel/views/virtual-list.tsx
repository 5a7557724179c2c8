/**
 * A long list of which only the rows in sight are there.
 *
 * Invariant: what it costs to draw does not grow with the number of items.
 */
import { useSignal } from "@preact/signals";
import type { ComponentChildren, HTMLAttributes } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

interface VirtualListProps<Item> {
  readonly items: readonly Item[];
  readonly rowPx: number;
  readonly render: (item: Item, index: number) => ComponentChildren;
  /** Kept in sight whenever it changes. */
  readonly shown?: number | undefined;
  readonly look?: string;
  /** What the list is for those who do not see it; its rows say what they are. */
  readonly attributes: HTMLAttributes<HTMLDivElement>;
}

/** Rows above and below the sight, so that quick scrolling shows no gaps. */
const SPARE_ROWS = 8;

export function VirtualList<Item>({ items, rowPx, render, shown, look, attributes }: VirtualListProps<Item>) {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  useEffect(() => {
    const { current } = box;
    if (current === null) return undefined;
    const observer = new ResizeObserver(() => {
      height.value = current.clientHeight;
    });
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const { current } = box;
    if (current === null || shown === undefined || shown < 0) return;
    const at = shown * rowPx;
    if (at < current.scrollTop) current.scrollTop = at;
    else if (at + rowPx > current.scrollTop + current.clientHeight)
      current.scrollTop = at + rowPx - current.clientHeight;
  }, [shown]);
  const first = Math.max(0, Math.floor(top.value / rowPx) - SPARE_ROWS);
  const last = Math.min(items.length, Math.ceil((top.value + height.value) / rowPx) + SPARE_ROWS);
  return (
    <div
      {...attributes}
      class={look === undefined ? "virtual" : `virtual ${look}`}
      ref={box}
      onScroll={({ currentTarget }) => {
        top.value = currentTarget.scrollTop;
      }}
    >
      <div class="virtual-all" role="presentation" style={{ height: `${items.length * rowPx}px` }}>
        <div class="virtual-some" role="presentation" style={{ transform: `translateY(${first * rowPx}px)` }}>
          {items.slice(first, last).map((item, at) => render(item, first + at))}
        </div>
      </div>
    </div>
  );
}
