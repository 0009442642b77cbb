// What a piece of refused work changes in a document as it is now, to show it, to copy it, and to put it back.
//
// The refused replica is merged with the server's in a document of its own: what that changes is the author's work and
// nothing of the others'. Putting back makes the same changes as new edits.
import { type Aside, Y } from "@stoa/client/documents";
import { ELEMENTS, elementsOf, FILES } from "./binding/binding.ts";
import { SETTINGS, TEXT } from "./text.ts";

export interface Lost {
  /** Shapes or places in the text. */
  count: number;
  /** Shapes, as the board's component pastes them, or text; empty for removals alone. */
  content: string;
  /** Makes the changes anew. None for work on a document that has begun anew since: nothing of it fits. */
  putBack?: (doc: Y.Doc) => void;
}

/** Parts of documents that are maps of names. */
const MAPS = [FILES, SETTINGS];

export function lostOf(doc: Y.Doc, work: Aside, kind: string): Lost {
  const both = work.reason === "reset" ? undefined : merged(doc, work);
  const putBack = both && ((present: Y.Doc) => present.transact(() => putInto(present, work)));
  if (kind !== "board") {
    const inserted = both ? both.text.flatMap(({ insert }) => (typeof insert === "string" ? [insert] : [])) : undefined;
    const content = inserted?.join("\n") ?? textOf(work);
    const places = both?.text.filter(({ retain }) => retain === undefined).length ?? 1;
    return { count: places + (both?.maps.size ?? 0), content, putBack };
  }
  const elements = both ? elementsOf(both.doc).filter(({ id }) => both.shapes.has(id)) : strange(doc, work);
  // Its own names: pasted beside what is there they are new shapes.
  const clipboard = { type: "excalidraw/clipboard", elements, files: {} };
  const content = elements.length > 0 ? JSON.stringify(clipboard) : "";
  return { count: both ? both.shapes.size : elements.length, content, putBack };
}

/** Groups of a shape that were changed; `undefined` is the shape as a whole. */
type Groups = Set<string> | undefined;

interface Merged {
  doc: Y.Doc;
  shapes: Map<string, Groups>;
  /** Keys that were changed, by the name of their map. */
  maps: Map<string, Set<string>>;
  text: Y.YTextEvent["delta"];
}

/** The present with the work in it; none when the work builds on what is not there. */
function merged(present: Y.Doc, { update }: Aside): Merged | undefined {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(present));
  const found: Merged = { doc, shapes: new Map(), maps: new Map(), text: [] };
  doc.getMap(ELEMENTS).observeDeep((events) => {
    for (const { path, keys } of events) {
      const id = path[0];
      if (id === undefined) for (const each of keys.keys()) found.shapes.set(each, undefined);
      else if (!found.shapes.has(String(id))) found.shapes.set(String(id), new Set(keys.keys()));
      else for (const group of keys.keys()) found.shapes.get(String(id))?.add(group);
    }
  });
  for (const name of MAPS) {
    doc.getMap(name).observe(({ keysChanged }) => void found.maps.set(name, keysChanged as Set<string>));
  }
  doc.getText(TEXT).observe(({ delta }) => {
    found.text = delta;
  });
  Y.applyUpdate(doc, update);
  return doc.store.pendingStructs || doc.store.pendingDs ? undefined : found;
}

function putInto(present: Y.Doc, work: Aside): void {
  const both = merged(present, work);
  if (!both) return;
  const [from, to] = [both.doc.getMap<unknown>(ELEMENTS), present.getMap<unknown>(ELEMENTS)];
  for (const [id, groups] of both.shapes) {
    const [mine, there] = [from.get(id), to.get(id)];
    if (!(mine instanceof Y.Map)) to.delete(id);
    else if (groups && there instanceof Y.Map) for (const group of groups) take(mine, there, group);
    else to.set(id, new Y.Map(mine.entries()));
  }
  for (const [name, keys] of both.maps) {
    for (const key of keys) take(both.doc.getMap(name), present.getMap(name), key);
  }
  if (both.text.length > 0) present.getText(TEXT).applyDelta(both.text);
}

function take(from: Y.Map<unknown>, to: Y.Map<unknown>, key: string): void {
  if (from.has(key)) to.set(key, from.get(key));
  else to.delete(key);
}

/** Shapes of the work that the document has not, or has otherwise. */
function strange(present: Y.Doc, work: Aside) {
  const there = new Map(elementsOf(present).map((element) => [element.id, JSON.stringify(element)]));
  return elementsOf(alone(work)).filter((element) => there.get(element.id) !== JSON.stringify(element));
}

function textOf(work: Aside): string {
  return alone(work).getText(TEXT).toString();
}

function alone({ update }: Aside): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return doc;
}
