// What people on a board tell each other in passing: where they point, what they have selected, what they are drawing.
import type { Awareness } from "@stoa/client/documents";
import type { Preview } from "./binding/binding.ts";
import type { Encoded } from "./binding/codec.ts";
import { colourFrom } from "./colours.ts";

export interface Pointer {
  x: number;
  y: number;
  tool: "pointer" | "laser";
}

/** The part of the board that somebody looks at: left, top, right, bottom. */
export type Bounds = readonly [number, number, number, number];

export interface Other {
  client: number;
  user: string;
  name: string;
  color: string;
  colorLight: string;
  pointer?: Pointer;
  button: "up" | "down";
  selected: readonly string[];
  view?: Bounds;
}

/** The server takes 8 KiB; the rest of the state has its share. */
const PREVIEW_CHARS = 5_500;
/** Points of a line that is being drawn: enough to see it grow. */
const PREVIEW_POINTS = 120;
const MOST_SELECTED = 30;

/** Makes a preview fit: long lines with fewer points, and of many shapes the first. */
export function fit(preview: Preview): Preview {
  const fitting: Preview = {};
  let size = 0;
  for (const [id, groups] of Object.entries(preview)) {
    const thin = groups.shape === undefined ? groups : { ...groups, shape: thinner(groups.shape) };
    size += id.length + JSON.stringify(thin).length + 8;
    if (size > PREVIEW_CHARS) break;
    fitting[id] = thin;
  }
  return fitting;
}

/** Leaves points out; they are kept as differences, so that those of the points left out are added up. */
function thinner(shape: string): string {
  const { points, pressures, ...rest } = JSON.parse(shape) as { points?: string; pressures?: string };
  if (points === undefined) return shape;
  const parts = points.split(" ").map(Number);
  const count = parts.length / 2;
  if (count <= PREVIEW_POINTS) return shape;
  const step = count / PREVIEW_POINTS;
  const kept: number[] = [];
  let [x, y, next] = [0, 0, 0];
  for (let at = 0; at < count; at += 1) {
    x += parts[2 * at] as number;
    y += parts[2 * at + 1] as number;
    if (at < next && at < count - 1) continue;
    kept.push(x, y);
    [x, y] = [0, 0];
    next += step;
  }
  return JSON.stringify({ ...rest, points: kept.join(" "), simulatePressure: true });
}

export function selectionOf(ids: Readonly<Record<string, boolean>>): string[] {
  return Object.keys(ids).slice(0, MOST_SELECTED);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const textOf = (value: unknown) => (typeof value === "string" ? value.slice(0, 200) : "");

/** The others on the board, by what they say; nothing of it is believed to have a shape. */
export function othersOf(awareness: Awareness): { others: Other[]; previews: Preview[] } {
  const others: Other[] = [];
  const previews: Preview[] = [];
  for (const [client, state] of awareness.getStates()) {
    if (client === awareness.clientID || !isRecord(state)) continue;
    const user = isRecord(state.user) ? state.user : {};
    const { pointer, view, selected, preview } = state;
    const hasPointer = isRecord(pointer) && isNumber(pointer.x) && isNumber(pointer.y);
    const hasView = Array.isArray(view) && view.length === 4 && view.every(isNumber);
    others.push({
      client,
      user: textOf(user.id),
      name: textOf(user.name),
      color: colourFrom(user.color, "#555555"),
      colorLight: colourFrom(user.colorLight, "#dddddd"),
      pointer: hasPointer
        ? { x: Number(pointer.x), y: Number(pointer.y), tool: pointer.tool === "laser" ? "laser" : "pointer" }
        : undefined,
      button: state.button === "down" ? "down" : "up",
      selected: Array.isArray(selected) ? selected.filter((id): id is string => typeof id === "string") : [],
      view: hasView ? (view as unknown as Bounds) : undefined,
    });
    if (isRecord(preview)) previews.push(previewOf(preview));
  }
  return { others, previews };
}

function previewOf(given: Record<string, unknown>): Preview {
  const preview: Preview = {};
  for (const [id, groups] of Object.entries(given)) {
    if (!isRecord(groups)) continue;
    const texts = Object.entries(groups).filter(([, value]) => typeof value === "string");
    preview[id] = Object.fromEntries(texts) as Encoded;
  }
  return preview;
}
