// Binds the scene of a drawing component to a Yjs document, shape by shape.
//
// The invariant: what the scene shows is what the document holds, with other people's previews over it, except for the
// shapes that this user is changing right now. Those are left alone until the gesture ends; then the groups that the
// user changed, and no others, are written in one transaction, and what others did to the shape meanwhile is shown.
import { generateNKeysBetween } from "fractional-indexing";
import * as Y from "yjs";
import { decode, type Encoded, encode, GROUPS, isShared, type SceneElement, tiesOf } from "./codec.ts";
import { indicesBetween, Order } from "./order.ts";

/** What somebody is changing and has not finished: groups by shape. */
export type Preview = Record<string, Encoded>;

export interface BindingOptions {
  /** At least 0, below 1. */
  random?: () => number;
}

interface Shown {
  /** What the scene was given, and the scene's version of it. */
  encoded: Encoded;
  element: SceneElement;
  version: number;
  nonce: number;
  ties: string;
  /** Nothing of it is in the document yet: somebody else is drawing it. */
  isGhost: boolean;
}

/** The document's part that holds the shapes. */
export const ELEMENTS = "elements";
/** The document's part that names the images. */
export const FILES = "files";
/** Shapes whose previews are shown, of one person. */
const MOST_PREVIEWED = 200;
/** More shapes than this are several edits: an update has a largest size, and a paste of thousands would be over it. */
const MOST_AT_ONCE = 1_000;

const KEPT_GROUPS = GROUPS.filter((group) => group !== "index" && group !== "type");

export class BoardBinding {
  readonly doc: Y.Doc;
  readonly undoManager: Y.UndoManager;
  readonly #elements: Y.Map<Y.Map<string>>;
  readonly #files: Y.Map<string>;
  readonly #random: () => number;
  readonly #order = new Order();
  readonly #shown = new Map<string, Shown>();
  readonly #dirty = new Set<string>();
  /** Shapes that this user is changing. */
  readonly #held = new Set<string>();
  /** Shapes whose scene is behind, though nothing of them is new: the scene has to be given again. */
  #isBehind = true;
  #isCommitting = false;
  /** Shapes that others are drawing for the first time. */
  readonly #ghosts = new Set<string>();
  readonly #tiedBy = new Map<string, Map<string, "arrow" | "text">>();
  readonly #tiesOf = new Map<string, { target: string; type: "arrow" | "text" }[]>();
  #previews: readonly Preview[] = [];
  readonly #previewed = new Map<string, Encoded>();
  readonly #listeners = new Set<() => void>();
  readonly #hear = (events: Y.YEvent<Y.Map<unknown>>[]) => this.#changed(events);

  constructor(doc: Y.Doc, { random = Math.random }: BindingOptions = {}) {
    this.doc = doc;
    this.#random = random;
    this.#elements = doc.getMap(ELEMENTS);
    this.#files = doc.getMap(FILES);
    const scope = [this.#elements, this.#files];
    this.undoManager = new Y.UndoManager(scope, { trackedOrigins: new Set([this]), captureTimeout: 0 });
    for (const id of this.#elements.keys()) this.#dirty.add(id);
    this.#elements.observeDeep(this.#hear);
  }

  /** Listens for changes that the scene does not show yet: `merge` gives them. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  destroy(): void {
    this.#elements.unobserveDeep(this.#hear);
    this.undoManager.destroy();
    this.#listeners.clear();
  }

  /** Shapes on the board. */
  get size(): number {
    return this.#elements.size;
  }

  /**
   * Tells what the scene is now, and which shapes the user has in hand. Answers whether there is anything that
   * `commit` would write.
   */
  look(scene: readonly SceneElement[], inHand: Iterable<string> = []): boolean {
    this.#held.clear();
    let hasChanges = false;
    let seen = 0;
    for (const element of scene) {
      if (this.#shown.has(element.id)) seen += 1;
      if (!this.#isTouched(element)) continue;
      this.#held.add(element.id);
      hasChanges = true;
    }
    // A scene that was set anew without them has removed nothing: it is given what it lacks.
    if (seen < this.#shown.size) this.#isBehind = true;
    for (const id of inHand) if (!this.#ghosts.has(id)) this.#held.add(id);
    return hasChanges;
  }

  /**
   * The scene with everything that is new in the document, or `undefined` when there is nothing new. Shapes that the
   * user is changing are as they are in the given scene.
   */
  merge(scene: readonly SceneElement[], inHand: Iterable<string> = []): SceneElement[] | undefined {
    this.look(scene, inHand);
    this.#refresh();
    if (!this.#isBehind) return undefined;
    this.#isBehind = false;
    // A shape in hand lies where its own index says, which the drawing component may have changed.
    const mine = scene.filter((element) => this.#held.has(element.id) && isShared(element)).sort(byIndex);
    const merged: SceneElement[] = [];
    for (const { id, index } of this.#order.places) {
      while (mine[0] && (mine[0].index ?? "") < index) merged.push(mine.shift() as SceneElement);
      const shown = this.#held.has(id) ? undefined : this.#shown.get(id);
      if (shown) merged.push(shown.element);
    }
    merged.push(...mine);
    this.#pushGhosts(merged);
    return merged;
  }

  /** What others are drawing lies on top until it is finished. */
  #pushGhosts(merged: SceneElement[]): void {
    // One that this user has in hand was removed by others a moment ago: it is there as the user has it.
    const free = [...this.#ghosts].filter((id) => !this.#held.has(id)).sort();
    const ghosts = free.flatMap((id) => this.#shown.get(id) ?? []);
    if (ghosts.length === 0) return;
    const top = merged.reduce<string | null>(
      (highest, { index }) => (typeof index === "string" && index > (highest ?? "") ? index : highest),
      null,
    );
    const keys = generateNKeysBetween(top, null, ghosts.length);
    for (const [at, ghost] of ghosts.entries()) {
      const index = keys[at] as string;
      if (ghost.element.index !== index) {
        ghost.version += 1;
        ghost.element = { ...ghost.element, index, version: ghost.version };
        ghost.encoded.index = index;
      }
      merged.push(ghost.element);
    }
  }

  /** Writes what the user changed, in one transaction, or in a few when it is very much. Answers how many shapes were written. */
  commit(scene: readonly SceneElement[]): number {
    const touched = scene.filter((element) => this.#isTouched(element));
    this.#held.clear();
    if (touched.length === 0) return 0;
    let written = 0;
    this.#refreshOrder();
    this.#isCommitting = true;
    const indices = this.#indices(scene, touched);
    for (let first = 0; first < touched.length; first += MOST_AT_ONCE) {
      this.doc.transact(() => {
        for (const element of touched.slice(first, first + MOST_AT_ONCE)) {
          if (this.#write(element, indices.get(element.id))) written += 1;
        }
        if (first === 0 && written > 0) this.#writeRepairs();
        if (first + MOST_AT_ONCE >= touched.length) this.#dropNames(touched);
      }, this);
    }
    this.#isCommitting = false;
    for (const element of touched) this.#settle(element);
    this.#isBehind = true;
    this.#tell();
    return written;
  }

  /** The user's own unfinished changes, for the others to see; none when there are none. */
  preview(scene: readonly SceneElement[]): Preview | undefined {
    const preview: Preview = {};
    let count = 0;
    for (const element of scene) {
      if (element.isDeleted || !this.#isTouched(element)) continue;
      const mine = encode(element);
      if (!mine) continue;
      count += 1;
      if (count > MOST_PREVIEWED) return undefined;
      const base = this.#shown.get(element.id)?.encoded;
      const groups: Encoded = base ? {} : { type: mine.type };
      for (const group of KEPT_GROUPS) if (mine[group] !== base?.[group]) groups[group] = mine[group] ?? "{}";
      if (Object.keys(groups).length > 0) preview[element.id] = groups;
    }
    return count === 0 ? undefined : preview;
  }

  /** Shows what others are changing. The later one of two that name the same shape wins. */
  setPreviews(previews: readonly Preview[]): void {
    if (previews.length === 0 && this.#previews.length === 0) return;
    const next = new Map<string, Encoded>();
    for (const preview of previews) {
      for (const [id, groups] of Object.entries(preview).slice(0, MOST_PREVIEWED)) next.set(id, groups);
    }
    for (const id of this.#previewed.keys()) if (!next.has(id)) this.#dirty.add(id);
    this.#previews = previews;
    for (const [id, groups] of next) {
      if (this.#previewed.get(id) !== groups) this.#dirty.add(id);
    }
    this.#previewed.clear();
    for (const [id, groups] of next) this.#previewed.set(id, groups);
    this.#tell();
  }

  undo(): boolean {
    return this.undoManager.undo() !== null;
  }

  redo(): boolean {
    return this.undoManager.redo() !== null;
  }

  /** What the document holds, for an export and for comparing replicas: from the lowest shape to the highest. */
  elements(): SceneElement[] {
    return elementsOf(this.doc);
  }

  #tell(): void {
    if (this.#isCommitting || (this.#dirty.size === 0 && !this.#isBehind)) return;
    for (const listener of [...this.#listeners]) listener();
  }

  #changed(events: Y.YEvent<Y.Map<unknown>>[]): void {
    for (const event of events) {
      if (event.path.length === 0) for (const id of event.keys.keys()) this.#dirty.add(id);
      else this.#dirty.add(String(event.path[0]));
    }
    this.#tell();
  }

  #isTouched(element: SceneElement): boolean {
    const shown = this.#shown.get(element.id);
    if (!shown) return !element.isDeleted && isShared(element);
    // What somebody else is drawing is theirs until it is finished.
    if (shown.isGhost) return false;
    return element.version !== shown.version || element.versionNonce !== shown.nonce;
  }

  #kept(id: string): Encoded | undefined {
    return keptOf(this.#elements as unknown as Y.Map<unknown>, id);
  }

  /** Takes over what is new about ties and order, also of shapes that are held. */
  #refreshOrder(): void {
    for (const id of [...this.#dirty]) {
      const encoded = this.#composed(id);
      this.#tie(id, encoded ? tiesOf(encoded) : []);
      const isGhost = encoded !== undefined && !this.#elements.has(id);
      if (isGhost) this.#ghosts.add(id);
      else this.#ghosts.delete(id);
      const hasMoved = encoded && !isGhost ? this.#order.set(id, encoded.index) : this.#order.delete(id);
      if (hasMoved) this.#isBehind = true;
    }
    for (const id of this.#order.repaired.keys()) this.#dirty.add(id);
  }

  /** What is kept of a shape, with the preview of whoever changes it. */
  #composed(id: string): Encoded | undefined {
    const kept = this.#kept(id);
    const groups = this.#previewed.get(id);
    if (!groups) return kept;
    if (kept) return { ...kept, ...groups, type: kept.type, index: kept.index };
    if (groups.type === undefined) return undefined;
    return { ...groups, index: undefined };
  }

  #tie(id: string, ties: { target: string; type: "arrow" | "text" }[]): void {
    const before = this.#tiesOf.get(id) ?? [];
    if (before.length === 0 && ties.length === 0) return;
    for (const { target } of before) {
      this.#tiedBy.get(target)?.delete(id);
      this.#dirty.add(target);
    }
    for (const { target, type } of ties) {
      const by = this.#tiedBy.get(target) ?? new Map();
      this.#tiedBy.set(target, by);
      by.set(id, type);
      this.#dirty.add(target);
    }
    if (ties.length > 0) this.#tiesOf.set(id, ties);
    else this.#tiesOf.delete(id);
  }

  #refresh(): void {
    this.#refreshOrder();
    for (const id of [...this.#dirty]) {
      // It is looked at again when the gesture has ended.
      if (this.#held.has(id)) continue;
      this.#dirty.delete(id);
      this.#show(id);
    }
  }

  #show(id: string): void {
    const encoded = this.#composed(id);
    const shown = this.#shown.get(id);
    if (!encoded) {
      if (this.#shown.delete(id)) this.#isBehind = true;
      return;
    }
    const bound = [...(this.#tiedBy.get(id) ?? [])].map(([tied, type]) => ({ id: tied, type }));
    bound.sort((a, b) => (a.id < b.id ? -1 : 1));
    const ties = JSON.stringify(bound);
    const index = this.#order.indexOf(id) ?? "a0";
    const isGhost = this.#ghosts.has(id);
    const next: Encoded = { ...encoded, index: isGhost ? (shown?.encoded.index ?? index) : index };
    if (shown && shown.isGhost === isGhost && shown.ties === ties && same(shown.encoded, next)) return;
    this.#isBehind = true;
    const nonce = Math.floor(this.#random() * 2 ** 31);
    const version = (shown?.version ?? 0) + 1;
    const decoded = decode(next, {
      id,
      version,
      versionNonce: nonce,
      index: next.index as string,
      boundElements: bound.length > 0 ? bound : null,
    });
    if (!decoded) {
      this.#shown.delete(id);
      return;
    }
    // Nobody can take hold of what somebody else has not finished.
    const element = isGhost ? { ...decoded, locked: true } : decoded;
    this.#shown.set(id, { encoded: next, element, version, nonce, ties, isGhost });
  }

  /** New indices for shapes that are new or were moved up or down, between those that were not. */
  #indices(scene: readonly SceneElement[], touched: readonly SceneElement[]): Map<string, string> {
    const moved = new Set<string>();
    for (const { id, index, isDeleted } of touched) {
      if (!isDeleted && this.#shown.get(id)?.encoded.index !== index) moved.add(id);
    }
    const indices = new Map<string, string>();
    if (moved.size === 0) return indices;
    const isMoved = (id: string) => moved.has(id);
    let lower: string | null = null;
    let run: string[] = [];
    const place = (isTop: boolean) => {
      if (run.length === 0) return;
      if (isTop) lower = this.#order.places.findLast(({ id }) => !moved.has(id))?.index ?? null;
      const keys = indicesBetween(lower, this.#order.above(lower, isMoved), run.length, this.#random);
      for (const [at, id] of run.entries()) indices.set(id, keys[at] as string);
      run = [];
    };
    for (const { id, isDeleted } of scene) {
      if (isDeleted) continue;
      if (moved.has(id)) {
        run.push(id);
        continue;
      }
      const index = this.#order.indexOf(id);
      if (index === undefined) continue;
      place(false);
      if (lower === null || index > lower) lower = index;
    }
    place(true);
    return indices;
  }

  #write(element: SceneElement, index: string | undefined): boolean {
    const { id } = element;
    const shown = this.#shown.get(id);
    const kept = this.#elements.get(id);
    if (element.isDeleted) {
      if (!kept) return false;
      this.#elements.delete(id);
      return true;
    }
    const mine = encode(element);
    if (!mine) return false;
    const changed = KEPT_GROUPS.filter((group) => mine[group] !== shown?.encoded[group]);
    if (!(kept instanceof Y.Map)) {
      // New, or removed by somebody while it was being changed: then whoever changed it last has it.
      if (shown && changed.length === 0) return false;
      const groups = { ...mine, index: index ?? mine.index ?? "a0" };
      this.#elements.set(id, new Y.Map<string>(Object.entries(groups)));
      return true;
    }
    for (const group of changed) {
      const value = mine[group];
      if (value === kept.get(group)) continue;
      if (value === undefined) kept.delete(group);
      else kept.set(group, value);
    }
    if (index !== undefined) kept.set("index", index);
    return changed.length > 0 || index !== undefined;
  }

  /** An image that no shape shows any more is named no longer, so that the server need not keep it for ever. */
  #dropNames(touched: readonly SceneElement[]): void {
    const removed = new Set(
      touched.flatMap(({ isDeleted, fileId }) =>
        isDeleted && typeof fileId === "string" && this.#files.has(fileId) ? [fileId] : [],
      ),
    );
    if (removed.size === 0) return;
    for (const kept of this.#elements.values()) {
      const shape = kept instanceof Y.Map ? kept.get("shape") : undefined;
      // Names of images stand in it as they are.
      for (const fileId of removed) if (shape?.includes(JSON.stringify(fileId))) removed.delete(fileId);
    }
    for (const fileId of removed) this.#files.delete(fileId);
  }

  /** Indices that had to be repaired are written by whoever writes anyway, or later ones would be placed by them. */
  #writeRepairs(): void {
    for (const [id, index] of this.#order.repaired) {
      const kept = this.#elements.get(id);
      // One that was written just now has a new index.
      const isOld = kept instanceof Y.Map && this.#order.keptIndexOf(id) === (kept.get("index") ?? "");
      if (isOld) kept.set("index", index);
    }
  }

  /** After a commit the scene has this shape as it was written; `#show` finds out what others changed meanwhile. */
  #settle(element: SceneElement): void {
    const { id, version, versionNonce: nonce } = element;
    this.#dirty.add(id);
    if (element.isDeleted) {
      this.#shown.delete(id);
      return;
    }
    const encoded = encode(element);
    if (!encoded) return;
    const bound = [...((element.boundElements as { id: string }[] | null) ?? [])];
    bound.sort((a, b) => (a.id < b.id ? -1 : 1));
    const isGhost = this.#ghosts.has(id);
    this.#shown.set(id, { encoded, element, version, nonce, ties: JSON.stringify(bound), isGhost });
  }
}

function byIndex(one: SceneElement, other: SceneElement): number {
  return (one.index ?? "") < (other.index ?? "") ? -1 : 1;
}

function same(one: Encoded, other: Encoded): boolean {
  return GROUPS.every((group) => (one[group] ?? "{}") === (other[group] ?? "{}"));
}

function keptOf(elements: Y.Map<unknown>, id: string): Encoded | undefined {
  const kept: unknown = elements.get(id);
  if (!(kept instanceof Y.Map)) return undefined;
  const encoded: Encoded = {};
  for (const group of GROUPS) {
    const value: unknown = kept.get(group);
    if (typeof value === "string") encoded[group] = value;
  }
  return encoded;
}

/** All shapes of a document, from the lowest to the highest: for previews of versions, exports and tests. */
export function elementsOf(doc: Y.Doc): SceneElement[] {
  const elements = doc.getMap(ELEMENTS);
  const order = new Order();
  const all = new Map<string, Encoded>();
  const tied = new Map<string, { id: string; type: "arrow" | "text" }[]>();
  for (const id of elements.keys()) {
    const encoded = keptOf(elements, id);
    if (!encoded) continue;
    all.set(id, encoded);
    order.set(id, encoded.index);
    for (const { target, type } of tiesOf(encoded)) tied.set(target, [...(tied.get(target) ?? []), { id, type }]);
  }
  return order.places.flatMap(({ id, index }) => {
    const bound = tied.get(id)?.sort((a, b) => (a.id < b.id ? -1 : 1)) ?? null;
    const own = { id, version: 1, versionNonce: 1, index, boundElements: bound };
    return decode(all.get(id) as Encoded, own) ?? [];
  });
}
