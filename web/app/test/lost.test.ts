// Refused work: what of it is lost is the author's alone, and putting it back is the author's change anew.
import { expect, test } from "vitest";
import * as Y from "yjs";
import { elementsOf } from "../src/board/binding/binding.ts";
import { lostOf } from "../src/board/lost.ts";
import { bring, meet, Tab } from "./scene.ts";

const aside = (doc: Y.Doc, reason: "forbidden" | "reset" = "forbidden") => ({
  id: 1,
  at: 0,
  reason,
  message: "",
  update: Y.encodeStateAsUpdate(doc),
});

/** Two with the same board of three shapes: what Ben then does is refused, and what Ada does is not. */
function board() {
  const [ada, ben] = [new Tab(Math.random, 1), new Tab(Math.random, 2)];
  const ids = [ada.draw({ x: 1 }), ada.draw({ x: 2 }), ada.draw({ x: 3 })] as const;
  ada.commit();
  meet(ada, ben);
  return { ada, ben, ids };
}

test("of a board the author's shapes are lost, and not what others changed meanwhile", () => {
  const { ada, ben, ids } = board();
  const drawn = ben.draw({ x: 50 });
  ben.change(ids[0], { strokeColor: "#ff0000" });
  ben.commit();
  ada.change(ids[0], { x: 100 });
  ada.change(ids[1], { x: 200 });
  ada.draw({ x: 300 });
  ada.commit();
  const { count, content, putBack } = lostOf(ada.doc, aside(ben.doc), "board");
  expect(count).toBe(2);
  const elements = (JSON.parse(content) as { elements: { id: string }[] }).elements;
  expect(elements.map(({ id }) => id).sort()).toEqual([drawn, ids[0]].sort());
  putBack?.(ada.doc);
  const now = new Map(elementsOf(ada.doc).map((element) => [element.id, element]));
  expect(now.size).toBe(5);
  expect(now.get(ids[0])).toMatchObject({ x: 100, strokeColor: "#ff0000" });
  expect(now.get(ids[1])).toMatchObject({ x: 200 });
  expect(now.get(drawn)).toMatchObject({ x: 50 });
});

test("what was put back is new work: it travels without anything of the refused replica", () => {
  const { ada, ben } = board();
  const drawn = ben.draw({ x: 50 });
  ben.commit();
  const refused = ben.doc.clientID;
  lostOf(ada.doc, aside(ben.doc), "board").putBack?.(ada.doc);
  const cyd = new Tab(Math.random, 3);
  bring(ada, cyd);
  expect(elementsOf(cyd.doc).map(({ id }) => id)).toContain(drawn);
  expect([...Y.decodeStateVector(Y.encodeStateVector(ada.doc)).keys()]).not.toContain(refused);
});

test("removals can be put back too", () => {
  const { ada, ben, ids } = board();
  ben.change(ids[2], { isDeleted: true });
  ben.commit();
  const { count, content, putBack } = lostOf(ada.doc, aside(ben.doc), "board");
  expect({ count, content }).toEqual({ count: 1, content: "" });
  putBack?.(ada.doc);
  expect(elementsOf(ada.doc).map(({ id }) => id)).toEqual([ids[0], ids[1]]);
});

test("of a text what the author wrote is lost, and it comes back where it belongs", () => {
  const [ada, ben] = [new Y.Doc(), new Y.Doc()];
  ada.getText("text").insert(0, "one three");
  Y.applyUpdate(ben, Y.encodeStateAsUpdate(ada));
  ben.getText("text").insert(4, "two ");
  ada.getText("text").insert(0, "zero ");
  const { content, count, putBack } = lostOf(ada, aside(ben), "notes");
  expect({ content, count }).toEqual({ content: "two ", count: 1 });
  putBack?.(ada);
  expect(ada.getText("text").toString()).toBe("zero one two three");
});

test("of a document that began anew the old content can be copied, and nothing is put back", () => {
  const [present, old] = [new Y.Doc(), new Y.Doc()];
  old.getText("text").insert(0, "from before");
  expect(lostOf(present, aside(old, "reset"), "notes")).toMatchObject({ content: "from before", putBack: undefined });
  const { ada, ben, ids } = board();
  ben.change(ids[0], { x: 9 });
  ben.commit();
  const { count, putBack } = lostOf(ada.doc, aside(ben.doc, "reset"), "board");
  expect([count, putBack]).toEqual([1, undefined]);
});

test("an image that no shape shows any more is named no longer, and undoing brings its name back", () => {
  const tab = new Tab(Math.random, 1);
  const files = tab.doc.getMap("files");
  const first = tab.draw({ type: "image", fileId: "f1" });
  const second = tab.draw({ type: "image", fileId: "f1" });
  tab.commit();
  files.set("f1", "a".repeat(64));
  tab.change(first, { isDeleted: true });
  tab.commit();
  expect(files.has("f1")).toBe(true);
  tab.change(second, { isDeleted: true });
  tab.commit();
  expect(files.has("f1")).toBe(false);
  tab.binding.undo();
  expect(files.get("f1")).toBe("a".repeat(64));
});
