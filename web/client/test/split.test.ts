// An update in pieces says what it says as a whole, and each piece can be taken when those before it are there.
import { expect, test } from "vitest";
import * as Y from "yjs";
import { split } from "../src/split.ts";
import { seeded } from "./world.ts";

/** Takes the pieces one after the other into a document that has what they build on; each must fit as it comes. */
function takeIn(base: Uint8Array, pieces: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, base);
  for (const [at, piece] of pieces.entries()) {
    Y.applyUpdate(doc, piece);
    if (doc.store.pendingStructs || doc.store.pendingDs) throw new Error(`piece ${at} of ${pieces.length} has a gap`);
  }
  return doc;
}

const shown = (doc: Y.Doc) => ({
  text: doc.getText("t").toDelta(),
  map: doc.getMap("m").toJSON(),
  list: doc.getArray("l").toJSON(),
});

test("what fits stays as it is", () => {
  const doc = new Y.Doc();
  doc.getText("t").insert(0, "short");
  const update = Y.encodeStateAsUpdate(doc);
  expect(split(update, 1_000)).toEqual([update]);
});

test("a text of megabytes in one edit is cut, and no surrogate pair with it", () => {
  const doc = new Y.Doc();
  doc.getText("t").insert(0, "😀é".repeat(700_000));
  const pieces = split(Y.encodeStateAsUpdate(doc), 256 * 1024);
  expect(pieces.length).toBeGreaterThan(16);
  for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(256 * 1024);
  expect(takeIn(Y.encodeStateAsUpdate(new Y.Doc()), pieces).getText("t").toString()).toBe("😀é".repeat(700_000));
});

test("a list of many values is cut, and one value that is too large stays whole", () => {
  const doc = new Y.Doc();
  doc.getArray("l").insert(
    0,
    Array.from({ length: 10_000 }, (_, at) => `value ${at}`),
  );
  doc.getMap("m").set("large", "x".repeat(50_000));
  doc.getMap("m").set("small", 1);
  const pieces = split(Y.encodeStateAsUpdate(doc), 20_000);
  expect(pieces.filter((piece) => piece.length > 20_000)).toHaveLength(1);
  expect(shown(takeIn(Y.encodeStateAsUpdate(new Y.Doc()), pieces))).toEqual(shown(doc));
});

test("more structs than the server takes at once are cut, however few bytes they have", () => {
  const doc = new Y.Doc();
  const text = doc.getText("t");
  // Each in front of the last: none can be joined with its neighbour.
  doc.transact(() => {
    for (let each = 0; each < 45_000; each += 1) text.insert(0, "a");
  });
  const pieces = split(Y.encodeStateAsUpdate(doc), 1024 * 1024);
  expect(pieces.length).toBeGreaterThanOrEqual(3);
  for (const piece of pieces) expect(Y.decodeUpdate(piece).structs.length).toBeLessThanOrEqual(20_000);
  expect(takeIn(Y.encodeStateAsUpdate(new Y.Doc()), pieces).getText("t").length).toBe(45_000);
});

const first = process.env.SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env.SEED);
const RUNS = process.env.SEED === undefined ? 20 : 1;

test(`whatever several replicas did, pieces of any size say the same (seed ${first})`, { timeout: 60_000 }, () => {
  for (let seed = first; seed < first + RUNS; seed += 1) {
    const random = seeded(seed);
    const below = (most: number) => Math.floor(random() * most);
    const docs = [1, 2, 3].map((client) => {
      const doc = new Y.Doc();
      doc.clientID = client * 1_000 + below(1_000);
      return doc;
    });
    const meet = () => {
      for (const from of docs) for (const to of docs) Y.applyUpdate(to, Y.encodeStateAsUpdate(from));
    };
    let base = Y.encodeStateAsUpdate(new Y.Doc());
    let vector: Uint8Array | undefined;
    for (let step = 0; step < 120; step += 1) {
      const doc = docs[below(3)] as Y.Doc;
      const [text, map, list] = [doc.getText("t"), doc.getMap<unknown>("m"), doc.getArray("l")];
      const kind = below(10);
      if (kind < 4) text.insert(below(text.length + 1), "wörter😀 ".repeat(1 + below(20)));
      else if (kind < 5 && text.length > 4) text.delete(below(text.length - 3), 1 + below(3));
      else if (kind < 6 && text.length > 4) text.format(below(text.length - 3), 2, { bold: true });
      else if (kind < 7) map.set(`k${below(9)}`, below(2) ? new Y.Map([["x", below(99)]]) : { y: below(99) });
      else if (kind < 8) map.delete(`k${below(9)}`);
      else if (kind < 9)
        list.insert(
          below(list.length + 1),
          Array.from({ length: 1 + below(9) }, () => below(999)),
        );
      else meet();
      if (step === 40) {
        meet();
        base = Y.encodeStateAsUpdate(docs[0] as Y.Doc);
        vector = Y.encodeStateVector(docs[0] as Y.Doc);
      }
    }
    meet();
    const whole = docs[0] as Y.Doc;
    const pieces = split(Y.encodeStateAsUpdate(whole, vector), 100 + below(600));
    expect(shown(takeIn(base, pieces)), `seed ${seed}`).toEqual(shown(whole));
  }
});
