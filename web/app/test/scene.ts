// A drawing component without a screen: it changes shapes in place and counts versions as the real one does.
import { generateKeyBetween } from "fractional-indexing";
import * as Y from "yjs";
import { BoardBinding } from "../src/board/binding/binding.ts";
import type { SceneElement } from "../src/board/binding/codec.ts";

/** Mulberry32: small, and the same on every machine. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Change = Record<string, unknown>;

export class Tab {
  readonly doc = new Y.Doc();
  readonly binding: BoardBinding;
  readonly random: () => number;
  scene: SceneElement[] = [];
  inHand: string[] = [];
  #count = 0;

  constructor(random: () => number = Math.random, client?: number) {
    if (client !== undefined) this.doc.clientID = client;
    this.random = random;
    this.binding = new BoardBinding(this.doc, { random });
  }

  get ids(): string[] {
    return this.scene.filter((element) => !element.isDeleted).map(({ id }) => id);
  }

  get(id: string): SceneElement {
    const found = this.scene.find((element) => element.id === id);
    if (!found) throw new Error(`no ${id}`);
    return found;
  }

  draw(change: Change = {}): string {
    this.#count += 1;
    const id = `${this.doc.clientID}-${this.#count}`;
    const top = this.scene.filter(({ isDeleted }) => !isDeleted).at(-1)?.index ?? null;
    this.scene = [
      ...this.scene,
      {
        id,
        type: "rectangle",
        x: 0,
        y: 0,
        width: 10,
        height: 10,
        angle: 0,
        seed: 7,
        groupIds: [],
        strokeColor: "#1e1e1e",
        version: 1,
        versionNonce: this.#nonce(),
        isDeleted: false,
        index: generateKeyBetween(top, null),
        boundElements: null,
        ...change,
      },
    ];
    return id;
  }

  change(id: string, change: Change): void {
    const element = this.get(id) as Record<string, unknown>;
    Object.assign(element, change);
    element.version = (element.version as number) + 1;
    element.versionNonce = this.#nonce();
  }

  remove(id: string): void {
    this.change(id, { isDeleted: true });
  }

  /** Moves a shape to a place among the others. */
  arrange(id: string, place: number): void {
    const element = this.get(id);
    const removed = this.scene.filter(({ isDeleted }) => isDeleted);
    const rest = this.scene.filter((each) => each !== element && !each.isDeleted);
    const at = Math.min(place, rest.length);
    const index = generateKeyBetween(rest[at - 1]?.index ?? null, rest[at]?.index ?? null);
    rest.splice(at, 0, element);
    this.scene = [...rest, ...removed];
    this.change(id, { index });
  }

  /** Ends the gesture. */
  commit(): number {
    this.inHand = [];
    const written = this.binding.commit(this.scene);
    this.refresh();
    return written;
  }

  refresh(): void {
    this.scene = this.binding.merge(this.scene, this.inHand) ?? this.scene;
  }

  #nonce(): number {
    return Math.floor(this.random() * 2 ** 31);
  }
}

/** Brings what `from` has to `to`. */
export function bring(from: Tab, to: Tab): void {
  Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)), "far");
  to.refresh();
}

export function meet(...tabs: Tab[]): void {
  for (let round = 0; round < 2; round += 1) {
    for (const one of tabs) for (const other of tabs) if (one !== other) bring(one, other);
  }
}

/** What is seen, without what each tab counts for itself. */
export function picture(elements: readonly SceneElement[]): unknown[] {
  return elements
    .filter((element) => !element.isDeleted)
    .map(({ version, versionNonce, boundElements, updated, ...rest }) => {
      const bound = (boundElements as { id: string }[] | null) ?? [];
      const known = Object.fromEntries(Object.entries(rest).filter(([name]) => SEEN.has(name)));
      return { ...known, bound: bound.map(({ id }) => id).sort() };
    });
}
const SEEN = new Set(["id", "type", "x", "y", "width", "height", "strokeColor", "index", "points", "text", "groupIds"]);
