// A list that grows at both ends without moving under its reader.
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Row } from "./rows.ts";

/** So near to the end counts as there: a reader who sees the last line follows the newest. */
const AT_END_PX = 60;
/** Older messages are asked for before the reader reaches the top. */
const NEAR_START_PX = 600;

interface Options {
  rows: readonly Row[];
  hasMore: boolean;
  onOlder: () => void;
}

export interface Scroll {
  ref: RefObject<HTMLDivElement | null>;
  isAtEnd: boolean;
  toEnd: () => void;
  toRow: (key: string) => void;
}

export function useScroll({ rows, hasMore, onOlder }: Options): Scroll {
  const ref = useRef<HTMLDivElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  // Whether new rows at the end take the reader along.
  const follows = useRef(true);
  // The row at the top of the view, and where it was: it stays there whatever grows above it.
  const anchor = useRef<{ key: string; top: number }>(undefined);
  const isPlaced = useRef(false);

  const remember = useCallback(() => {
    const box = ref.current;
    if (!box) return;
    const isNear = box.scrollHeight - box.scrollTop - box.clientHeight < AT_END_PX;
    follows.current = isNear;
    setAtEnd(isNear);
    const edge = box.getBoundingClientRect().top;
    const row = findFirst(box, edge);
    anchor.current = row && { key: row.dataset.row ?? "", top: row.getBoundingClientRect().top - edge };
  }, []);

  const settle = useCallback(() => {
    const box = ref.current;
    if (!box) return;
    if (follows.current) box.scrollTop = box.scrollHeight;
    else if (anchor.current) {
      const row = rowOf(box, anchor.current.key);
      const edge = box.getBoundingClientRect().top;
      if (row) box.scrollTop += row.getBoundingClientRect().top - edge - anchor.current.top;
    }
  }, []);

  const askOlder = useCallback(() => {
    const box = ref.current;
    if (box && hasMore && box.scrollTop < NEAR_START_PX) onOlder();
  }, [hasMore, onOlder]);

  useLayoutEffect(() => {
    const box = ref.current;
    if (!box) return;
    if (!isPlaced.current && rows.length > 0) {
      isPlaced.current = true;
      // The first look is at what is new, when there is something.
      const line = rowOf(box, "unread");
      if (line) box.scrollTop = line.offsetTop - box.clientHeight / 3;
      else box.scrollTop = box.scrollHeight;
    } else settle();
    remember();
    askOlder();
  }, [rows, settle, remember, askOlder]);

  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const onScroll = () => {
      remember();
      askOlder();
    };
    // The keyboard of a phone, a growing composer, a picture: all change what is visible.
    const watch = new ResizeObserver(settle);
    watch.observe(box);
    if (box.lastElementChild) for (const part of box.children) watch.observe(part);
    box.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      watch.disconnect();
      box.removeEventListener("scroll", onScroll);
    };
  }, [remember, askOlder, settle]);

  const toEnd = useCallback(() => {
    follows.current = true;
    setAtEnd(true);
    settle();
  }, [settle]);

  const toRow = useCallback((key: string) => {
    const row = ref.current && rowOf(ref.current, key);
    if (!row) return;
    follows.current = false;
    row.scrollIntoView({ block: "center" });
    row.focus({ preventScroll: true });
    row.classList.remove("flash");
    // Reading the layout begins the animation anew.
    void row.offsetWidth;
    row.classList.add("flash");
  }, []);

  return { ref, isAtEnd, toEnd, toRow };
}

function rowOf(box: HTMLElement, key: string): HTMLElement | null {
  return box.querySelector<HTMLElement>(`[data-row="${CSS.escape(key)}"]`);
}

/** The first row that reaches below `edge`, by bisection. */
function findFirst(box: HTMLElement, edge: number): HTMLElement | undefined {
  const rows = box.querySelectorAll<HTMLElement>("[data-row]");
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.getBoundingClientRect().bottom ?? 0) <= edge) low = middle + 1;
    else high = middle;
  }
  return rows[low];
}
