// How a shape of the board is kept in the document.
//
// A shape is a small map of texts, one for each group of properties that only make sense together. Two people who
// change different groups of one shape both keep their change; of two who change the same group, one wins with the
// whole group. Single properties would merge into shapes that nobody drew (the width of one, the points of the other),
// and cost four times the memory on a board of ten thousand shapes; whole shapes would lose a colour to a move.

/** A shape as the drawing component has it. */
export interface SceneElement {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  readonly versionNonce: number;
  readonly isDeleted: boolean;
  readonly index?: string | null;
  readonly [property: string]: unknown;
}

export const GROUPS = ["type", "at", "shape", "style", "ties", "index", "etc"] as const;
export type Group = (typeof GROUPS)[number];
/** The groups of one shape; one that says nothing but defaults is absent. */
export type Encoded = Partial<Record<Group, string>>;

type Check = (value: unknown) => boolean;

interface Property {
  group: "shape" | "style" | "ties" | "etc";
  check: Check;
  /** What an absent one means; without it, absent is absent. */
  usual?: unknown;
}

/** Shapes further away or larger than this are mistakes, and canvases break on them. */
const FARTHEST = 1e7;
const MOST_POINTS = 20_000;
const LONGEST_TEXT = 100_000;
const MOST_TIES = 1_000;

const number: Check = (value) =>
  typeof value === "number" && Number.isFinite(value) && Math.abs(value) <= FARTHEST * FARTHEST;
const length: Check = (value) => number(value) && Math.abs(value as number) <= FARTHEST;
const within =
  (least: number, most: number): Check =>
  (value) =>
    number(value) && (value as number) >= least && (value as number) <= most;
const text: Check = (value) => typeof value === "string" && value.length <= LONGEST_TEXT;
const word: Check = (value) => typeof value === "string" && value.length <= 256;
const flag: Check = (value) => typeof value === "boolean";
const one =
  (...words: string[]): Check =>
  (value) =>
    words.includes(value as string);
const maybe =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const record: Check = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const list =
  (check: Check, most: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every(check);
const pair = (check: Check): Check => {
  const both = list(check, 2);
  return (value) => both(value) && (value as unknown[]).length === 2;
};
const points = list(pair(length), MOST_POINTS);
const fields =
  (checks: Record<string, Check>): Check =>
  (value) =>
    record(value) && Object.entries(checks).every(([name, check]) => check((value as Record<string, unknown>)[name]));
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const binding = maybe(
  fields({
    elementId: word,
    focus: optional(number),
    gap: optional(number),
    fixedPoint: optional(maybe(pair(number))),
  }),
);
const arrowhead = maybe(word);

/** Every property that is shared, by name. What the drawing component counts for itself is not. */
const PROPERTIES: Record<string, Property> = {
  width: { group: "shape", check: length, usual: 0 },
  height: { group: "shape", check: length, usual: 0 },
  points: { group: "shape", check: points },
  pressures: { group: "shape", check: list(number, MOST_POINTS), usual: [] },
  simulatePressure: { group: "shape", check: flag },
  startBinding: { group: "shape", check: binding, usual: null },
  endBinding: { group: "shape", check: binding, usual: null },
  elbowed: { group: "shape", check: flag, usual: false },
  fixedSegments: {
    group: "shape",
    check: maybe(list(fields({ index: number, start: pair(length), end: pair(length) }), 1_000)),
  },
  startIsSpecial: { group: "shape", check: maybe(flag) },
  endIsSpecial: { group: "shape", check: maybe(flag) },
  polygon: { group: "shape", check: flag },
  fileId: { group: "shape", check: maybe(word), usual: null },
  scale: { group: "shape", check: pair(within(-1, 1)), usual: [1, 1] },
  crop: {
    group: "shape",
    check: maybe(
      fields({ x: length, y: length, width: length, height: length, naturalWidth: length, naturalHeight: length }),
    ),
    usual: null,
  },
  text: { group: "shape", check: text },
  originalText: { group: "shape", check: text },
  fontSize: { group: "shape", check: within(0.1, 10_000) },
  fontFamily: { group: "shape", check: within(0, 100) },
  lineHeight: { group: "shape", check: within(0.1, 100) },
  autoResize: { group: "shape", check: flag },
  strokeColor: { group: "style", check: word, usual: "#1e1e1e" },
  backgroundColor: { group: "style", check: word, usual: "transparent" },
  fillStyle: { group: "style", check: one("solid", "hachure", "cross-hatch", "zigzag"), usual: "solid" },
  strokeWidth: { group: "style", check: within(0, 1_000), usual: 2 },
  strokeStyle: { group: "style", check: one("solid", "dashed", "dotted"), usual: "solid" },
  roundness: { group: "style", check: maybe(fields({ type: within(1, 3), value: optional(length) })), usual: null },
  roughness: { group: "style", check: within(0, 10), usual: 1 },
  opacity: { group: "style", check: within(0, 100), usual: 100 },
  textAlign: { group: "style", check: one("left", "center", "right") },
  verticalAlign: { group: "style", check: one("top", "middle", "bottom") },
  startArrowhead: { group: "style", check: arrowhead },
  endArrowhead: { group: "style", check: arrowhead },
  groupIds: { group: "ties", check: list(word, MOST_TIES), usual: [] },
  frameId: { group: "ties", check: maybe(word), usual: null },
  containerId: { group: "ties", check: maybe(word), usual: null },
  seed: { group: "etc", check: number, usual: 1 },
  link: { group: "etc", check: maybe(text), usual: null },
  locked: { group: "etc", check: flag, usual: false },
  name: { group: "etc", check: maybe(word), usual: null },
  customData: { group: "etc", check: record },
};
const NAMES = Object.keys(PROPERTIES);

/** What can be drawn, and what each needs. Frames of foreign pages are left out: they would load from elsewhere. */
const KINDS: Record<string, readonly string[]> = {
  rectangle: [],
  diamond: [],
  ellipse: [],
  frame: [],
  magicframe: [],
  image: [],
  text: ["text", "fontSize", "fontFamily"],
  line: ["points"],
  arrow: ["points"],
  freedraw: ["points"],
};
/** Properties that only some kinds have; the usual value is filled in for those alone. */
const OWN: Record<string, readonly string[]> = {
  pressures: ["freedraw"],
  startBinding: ["line", "arrow"],
  endBinding: ["line", "arrow"],
  elbowed: ["arrow"],
  fileId: ["image"],
  scale: ["image"],
  crop: ["image"],
  containerId: ["text"],
  name: ["frame", "magicframe"],
};

const round = (value: number, steps: number) => Math.round(value * steps) / steps;
/** A thousandth of a pixel, and a hundredth in the points of a line: finer than anybody sees at any zoom. */
const near = (value: unknown) => round(value as number, 1_000);

/** Points as differences in hundredths: about five characters each. */
function packPoints(value: readonly (readonly [number, number])[]): string {
  let [lastX, lastY] = [0, 0];
  const parts: number[] = [];
  for (const [x, y] of value) {
    const [nextX, nextY] = [Math.round(x * 100), Math.round(y * 100)];
    parts.push(nextX - lastX, nextY - lastY);
    [lastX, lastY] = [nextX, nextY];
  }
  return parts.join(" ");
}

function unpackPoints(packed: unknown): unknown {
  if (typeof packed !== "string") return undefined;
  const parts = packed === "" ? [] : packed.split(" ").map(Number);
  if (parts.length % 2 !== 0) return undefined;
  let [x, y] = [0, 0];
  const unpacked: [number, number][] = [];
  for (let each = 0; each < parts.length; each += 2) {
    x += parts[each] as number;
    y += parts[each + 1] as number;
    unpacked.push([x / 100, y / 100]);
  }
  return unpacked;
}

function pack(name: string, value: unknown): unknown {
  switch (name) {
    case "points":
      return packPoints(value as [number, number][]);
    case "pressures":
      return (value as number[]).map((each) => Math.round(each * 1_000)).join(" ");
    case "width":
    case "height":
      return near(value);
    default:
      return value;
  }
}

function unpack(name: string, value: unknown): unknown {
  if (name === "points") return unpackPoints(value);
  if (name !== "pressures") return value;
  if (typeof value !== "string") return undefined;
  return value === "" ? [] : value.split(" ").map((each) => Number(each) / 1_000);
}

function isUsual(value: unknown, usual: unknown): boolean {
  if (Array.isArray(usual)) return JSON.stringify(value) === JSON.stringify(usual);
  return value === usual;
}

/** Whether this kind of shape is shared. */
export function isShared({ type }: { type: string }): boolean {
  return Object.hasOwn(KINDS, type);
}

/** A shape as it is kept; `undefined` for one that is never shared. */
export function encode(element: SceneElement): Encoded | undefined {
  if (!isShared(element)) return undefined;
  const groups: Record<Property["group"], Record<string, unknown>> = { shape: {}, style: {}, ties: {}, etc: {} };
  for (const name of NAMES) {
    const { group, usual } = PROPERTIES[name] as Property;
    const value = element[name];
    if (value === undefined || isUsual(value, usual)) continue;
    groups[group][name] = pack(name, value);
  }
  const encoded: Encoded = { type: element.type };
  encoded.at = JSON.stringify([near(element.x), near(element.y), round((element.angle as number) ?? 0, 1e6)]);
  for (const [group, values] of Object.entries(groups)) {
    if (Object.keys(values).length > 0) encoded[group as Property["group"]] = JSON.stringify(values);
  }
  if (typeof element.index === "string") encoded.index = element.index;
  return encoded;
}

function parse(json: string | undefined): unknown {
  if (json === undefined) return {};
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** What every shape has and nobody shares. */
export interface Own {
  id: string;
  version: number;
  versionNonce: number;
  index: string;
  boundElements: readonly { id: string; type: "arrow" | "text" }[] | null;
}

/**
 * A shape for the drawing component; `undefined` when what is kept cannot be drawn. Members write what they like into
 * the document, so nothing is believed: one bad property would stop everybody's board.
 */
export function decode(encoded: Encoded, own: Own): SceneElement | undefined {
  const { type } = encoded;
  const needed = type === undefined ? undefined : KINDS[type];
  if (type === undefined || !needed || !Object.hasOwn(KINDS, type)) return undefined;
  const at = parse(encoded.at);
  if (!list(length, 3)(at)) return undefined;
  const [x, y, angle] = at as [number, number, number];
  if (y === undefined) return undefined;
  const given: Record<string, unknown> = {};
  for (const group of ["shape", "style", "ties", "etc"] as const) {
    const values = parse(encoded[group]);
    if (!record(values)) return undefined;
    for (const [name, packed] of Object.entries(values as object)) {
      const property = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined;
      const value = unpack(name, packed);
      // An unknown property is of a newer page, and an illegal one of nobody's.
      if (property?.group === group && property.check(value)) given[name] = value;
    }
  }
  if (needed.some((name) => given[name] === undefined)) return undefined;
  const linear = type === "line" || type === "arrow" || type === "freedraw";
  if (linear && (given.points as unknown[]).length === 0) return undefined;
  const element: Record<string, unknown> = { ...own, type, x, y, angle: angle ?? 0, isDeleted: false, updated: 1 };
  for (const name of NAMES) {
    const { usual } = PROPERTIES[name] as Property;
    const value = given[name] ?? (OWN[name] && !OWN[name].includes(type) ? undefined : usual);
    if (value !== undefined) element[name] = Array.isArray(value) && value === usual ? [...value] : value;
  }
  if (linear) element.lastCommittedPoint = null;
  if (type === "image") element.status = "saved";
  return complete(type, element) as SceneElement;
}

/** Fills in what a kind needs and an older or foreign writer has left out. */
function complete(type: string, element: Record<string, unknown>): Record<string, unknown> {
  if (type === "text") {
    element.originalText ??= element.text;
    element.textAlign ??= "left";
    element.verticalAlign ??= "top";
    element.lineHeight ??= 1.25;
    element.autoResize ??= true;
  }
  if (type === "line" || type === "arrow") {
    element.startArrowhead ??= null;
    element.endArrowhead ??= null;
  }
  if (type === "freedraw") element.simulatePressure ??= (element.pressures as number[]).length === 0;
  return element;
}

/** Which shapes this one hangs on: the other side of it is computed and never kept, so that it cannot disagree. */
export function tiesOf(encoded: Encoded): { target: string; type: "arrow" | "text" }[] {
  if (encoded.type === "text") {
    const container = (parse(encoded.ties) as { containerId?: unknown } | undefined)?.containerId;
    return typeof container === "string" ? [{ target: container, type: "text" }] : [];
  }
  if (encoded.type !== "arrow") return [];
  if (!encoded.shape?.includes("Binding")) return [];
  const shape = parse(encoded.shape) as Record<string, { elementId?: unknown } | null> | undefined;
  const targets = [shape?.startBinding?.elementId, shape?.endBinding?.elementId];
  return [...new Set(targets)].flatMap((target) =>
    typeof target === "string" ? [{ target, type: "arrow" as const }] : [],
  );
}
