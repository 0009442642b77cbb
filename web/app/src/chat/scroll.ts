// Where a list of messages is scrolled to: it follows its end, grows at both ends without moving under its reader, and
// goes to a row. The rows on the screen and their places are virtua's work.
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { VirtualizerHandle } from "virtua";
import type { Row } from "./rows.ts";

/** So near to the end counts as there: a reader who sees the last line follows the newest. */
const AT_END_PX = 60;
/** More messages are asked for before the reader reaches an end. */
const NEAR_PX = 900;
/** Frames in which rows that come on the screen are measured and put in their places. */
const FRAMES = 6;
/** How much of the view stands above a row that is gone to at its start. */
const ABOVE = 0.28;

export interface Target {
  key: string;
  /** Another one for another wish to go there. */
  stamp: number;
}

export interface ScrollOptions {
  rows: readonly Row[];
  /** Changes when the rows are others altogether. */
  view: string;
  hasOlder: boolean;
  onOlder: () => void;
  hasNewer: boolean;
  onNewer: () => void;
  target: Target | undefined;
  onArrive: (key: string) => void;
}

export interface Scroll {
  box: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  list: RefObject<VirtualizerHandle | null>;
  indexOf: (key: string) => number | undefined;
  /** Whether rows came before the first one, and nothing else is new. */
  isShift: boolean;
  isAtEnd: boolean;
  onScroll: () => void;
  toEnd: () => void;
}

export function useScroll(options: ScrollOptions): Scroll {
  const { rows, view, hasOlder, onOlder, hasNewer, onNewer, target, onArrive } = options;
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  // Whether new rows at the end take the reader along.
  const follows = useRef(true);
  const last = useRef({ top: 0, height: 0 });
  const placed = useRef<string>(undefined);
  const arrived = useRef<number>(undefined);
  // While a place is being gone to, rows are not where they will be: no page is asked for because of that.
  const going = useRef(0);
  const { indexOf, isShift } = useGrowth(rows, view);

  const settle = useCallback(() => {
    const element = box.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  }, []);

  const look = useCallback(() => {
    const element = box.current;
    if (!element || element.clientHeight === 0) return;
    const { scrollTop, scrollHeight, clientHeight } = element;
    const below = scrollHeight - scrollTop - clientHeight;
    const isNear = below < AT_END_PX && !hasNewer;
    // Somebody who scrolls up leaves the end, however little; rows that grow or shrink do not.
    const isUp = scrollTop < last.current.top - 1 && scrollHeight >= last.current.height;
    if (hasNewer || isUp) follows.current = isNear && below < 2;
    else if (isNear && scrollTop > last.current.top) follows.current = true;
    last.current = { top: scrollTop, height: scrollHeight };
    setAtEnd(isNear || follows.current);
    if (going.current !== 0) return;
    if (hasOlder && scrollTop < NEAR_PX) onOlder();
    if (hasNewer && below < NEAR_PX) onNewer();
  }, [hasOlder, onOlder, hasNewer, onNewer]);

  const looked = useRef(look);
  looked.current = look;
  const begin = useCallback(() => {
    cancelAnimationFrame(going.current);
    let left = FRAMES;
    const wait = () => {
      left -= 1;
      going.current = left > 0 ? requestAnimationFrame(wait) : 0;
      if (left === 0) looked.current();
    };
    going.current = requestAnimationFrame(wait);
  }, []);
  useEffect(() => () => cancelAnimationFrame(going.current), []);

  // The first look at rows: at the wish, at what is new, or at the newest.
  const place = useCallback(() => {
    begin();
    const unread = indexOf("unread");
    const wish = target && target.stamp !== arrived.current ? indexOf(target.key) : undefined;
    if (wish !== undefined) return;
    follows.current = unread === undefined;
    if (unread === undefined) list.current?.scrollToIndex(rows.length - 1, { align: "end" });
    else list.current?.scrollToIndex(unread, { align: "start", offset: -(box.current?.clientHeight ?? 0) * ABOVE });
    settle();
  }, [indexOf, rows.length, settle, target, begin]);

  useLayoutEffect(() => {
    if (placed.current !== view && rows.length > 0) {
      placed.current = view;
      place();
    } else settle();
    look();
  }, [rows, view, place, settle, look]);

  useLayoutEffect(() => {
    if (!target || target.stamp === arrived.current) return;
    const index = indexOf(target.key);
    if (index === undefined) return;
    arrived.current = target.stamp;
    begin();
    follows.current = false;
    list.current?.scrollToIndex(index, { align: "center" });
    onArrive(target.key);
  }, [target, indexOf, onArrive, begin]);

  useEffect(() => {
    if (!box.current || !content.current) return;
    // The keyboard of a phone, a growing composer, a row that became larger: all change what is visible.
    const watch = new ResizeObserver(() => {
      settle();
      look();
    });
    watch.observe(box.current);
    watch.observe(content.current);
    return () => watch.disconnect();
  }, [settle, look]);

  const toEnd = useCallback(() => {
    follows.current = true;
    setAtEnd(true);
    settle();
  }, [settle]);

  return { box, content, list, indexOf, isShift, isAtEnd, onScroll: look, toEnd };
}

/** How the rows of this rendering differ from those of the last one. */
function useGrowth(rows: readonly Row[], view: string) {
  const before = useRef<{ view: string; first: string | undefined; count: number }>(undefined);
  const index = useIndex(rows);
  const first = rows.find(({ kind }) => kind === "message")?.key;
  const old = before.current;
  const isShift =
    old?.view === view &&
    old.first !== undefined &&
    old.first !== first &&
    rows.length > old.count &&
    index(old.first) !== undefined;
  useLayoutEffect(() => {
    before.current = { view, first, count: rows.length };
  }, [view, first, rows]);
  return { indexOf: index, isShift };
}

function useIndex(rows: readonly Row[]): (key: string) => number | undefined {
  const made = useRef<{ rows: readonly Row[]; find: (key: string) => number | undefined }>(undefined);
  if (made.current?.rows !== rows) {
    let map: Map<string, number> | undefined;
    made.current = {
      rows,
      find: (key) => {
        map ??= new Map(rows.map((row, at) => [row.key, at]));
        return map.get(key);
      },
    };
  }
  return made.current.find;
}
