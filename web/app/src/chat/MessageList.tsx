import { type KeyboardEvent, type ReactElement, type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { Virtualizer } from "virtua";
import type { Row } from "./rows.ts";
import { type Scroll, type ScrollOptions, useScroll } from "./scroll.ts";

/** What of the rows beyond the view is kept ready. */
const BUFFER_PX = 600;
/** A guess for rows that were never on the screen; virtua's own would follow from the first few that were. */
const ROW_PX = 46;
/** Height of the room above the first row, where it is told that older ones are loaded. */
const HEAD_PX = 44;
const FLASH_MS = 2_000;

export interface RowState {
  isActive: boolean;
  isFocusable: boolean;
  isFlashed: boolean;
  /** While something that belongs to the row is open, the pointer may leave it. */
  hold: (isHeld: boolean) => void;
}

interface Props extends Omit<ScrollOptions, "onArrive"> {
  label: string;
  /** What stands above the first row while older ones are loaded. */
  head: ReactNode;
  renderRow: (row: Row, state: RowState) => ReactElement;
  /** What lies over the list. */
  children?: (scroll: Scroll) => ReactNode;
  testId?: string;
}

/** Messages from old to new, of which only those near the view exist as elements. */
export function MessageList({ label, head, renderRow, children, testId, ...options }: Props) {
  const { rows, view } = options;
  // The row under the pointer, and the one that has or had the focus.
  const [hovered, setHovered] = useState<string>();
  const [focused, setFocused] = useState<string>();
  const [flashed, setFlashed] = useState<string>();
  const [isWithin, setWithin] = useState(false);
  const isHeld = useRef(false);
  const wantsFocus = useRef(false);
  const toFocus = useCallback((key: string) => {
    setFocused(key);
    wantsFocus.current = true;
  }, []);
  const onArrive = useCallback(
    (key: string) => {
      toFocus(key);
      setFlashed(key);
    },
    [toFocus],
  );
  const scroll = useScroll({ ...options, onArrive });
  const { box, content, list, indexOf } = scroll;

  useEffect(() => {
    if (flashed === undefined) return;
    const handle = setTimeout(() => setFlashed(undefined), FLASH_MS);
    return () => clearTimeout(handle);
  }, [flashed]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a row that is gone to again is flashed again
  useEffect(() => {
    if (!wantsFocus.current || focused === undefined) return;
    wantsFocus.current = false;
    return focusSoon(() => box.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(focused)}"]`));
  }, [focused, flashed, box]);

  const hold = useCallback((held: boolean) => {
    isHeld.current = held;
  }, []);

  const keyOf = (target: EventTarget): string | undefined => {
    // A dialog that a row has opened is below the row for React, not for the document.
    if (isHeld.current || !box.current?.contains(target as Element)) return undefined;
    return (target as Element).closest<HTMLElement>("article[data-row]")?.dataset.row;
  };

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const from = (event.target as Element).closest<HTMLElement>("article[data-row]");
    if (!from || event.target !== from) return;
    const index = neighbour(rows, indexOf(from.dataset.row ?? ""), event.key);
    const row = index === undefined ? undefined : rows[index];
    if (!row || index === undefined) return;
    event.preventDefault();
    toFocus(row.key);
    setHovered(undefined);
    list.current?.scrollToIndex(index, { align: "nearest" });
  };

  const focusedIndex = focused === undefined ? undefined : indexOf(focused);
  const focusable = focusedIndex === undefined ? rows.findLast(isMessage)?.key : focused;
  const hoveredIndex = hovered === undefined ? undefined : indexOf(hovered);
  const active = hoveredIndex === undefined ? (isWithin ? focused : undefined) : hovered;
  const lastIndex = rows.length - 1;
  const keepMounted = [focusedIndex, hoveredIndex, lastIndex].filter(
    (index) => index !== undefined && index >= 0,
  ) as number[];
  return (
    <div className="timeline-box">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the rows are what is acted on; this hears for all of them */}
      <div
        ref={box}
        className="timeline"
        data-testid={testId}
        onPointerOver={(event) => setHovered((now) => keyOf(event.target) ?? now)}
        onPointerLeave={(event) => {
          // A finger that is lifted leaves before it clicks.
          if (!isHeld.current && event.pointerType !== "touch") setHovered(undefined);
        }}
        onFocus={(event) => {
          setWithin(true);
          const key = keyOf(event.target);
          if (key) setFocused(key);
        }}
        onBlur={(event) => {
          if (!isHeld.current && !event.currentTarget.contains(event.relatedTarget)) setWithin(false);
        }}
        onKeyDown={onKeyDown}
        onScroll={scroll.onScroll}
      >
        <div className="timeline-head" style={{ height: HEAD_PX }}>
          {head}
        </div>
        {/* New messages are told by a line of their own: here rows come and go with scrolling. */}
        <div ref={content} className="rows" role="log" aria-label={label} aria-live="off">
          <Virtualizer
            key={view}
            ref={list}
            scrollRef={box}
            data={rows}
            startMargin={HEAD_PX}
            bufferSize={BUFFER_PX}
            itemSize={ROW_PX}
            shift={scroll.isShift}
            keepMounted={keepMounted}
          >
            {(row) => (
              <div key={row.key} className="row-box">
                {renderRow(row, {
                  isActive: row.key === active,
                  isFocusable: row.key === focusable,
                  isFlashed: row.key === flashed,
                  hold,
                })}
              </div>
            )}
          </Virtualizer>
        </div>
      </div>
      {children?.(scroll)}
    </div>
  );
}

/** Frames until a row that was gone to must have been measured: before, it is hidden and takes no focus. */
const FRAMES = 20;

function focusSoon(find: () => HTMLElement | null | undefined): () => void {
  let left = FRAMES;
  let handle = 0;
  const attempt = () => {
    const element = find();
    element?.focus({ preventScroll: true });
    left -= 1;
    if (left > 0 && (!element || document.activeElement !== element)) handle = requestAnimationFrame(attempt);
  };
  attempt();
  return () => cancelAnimationFrame(handle);
}

function isMessage(row: Row | undefined): boolean {
  return row?.kind === "message" || row?.kind === "pending";
}

/** The row that a key leads to: arrows go from message to message. */
function neighbour(rows: readonly Row[], from: number | undefined, key: string): number | undefined {
  if (from === undefined) return undefined;
  const steps: Record<string, [number, number]> = {
    ArrowUp: [from - 1, -1],
    ArrowDown: [from + 1, 1],
    Home: [0, 1],
    End: [rows.length - 1, -1],
  };
  const step = Object.hasOwn(steps, key) ? steps[key] : undefined;
  if (!step) return undefined;
  for (let [at, by] = step; at >= 0 && at < rows.length; at += by) if (isMessage(rows[at])) return at;
  return undefined;
}
