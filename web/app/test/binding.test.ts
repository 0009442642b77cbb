import { expect, test } from "vitest";
import * as Y from "yjs";
import { ELEMENTS, elementsOf } from "../src/board/binding/binding.ts";
import { bring, meet, picture, Tab } from "./scene.ts";

function pair(): [Tab, Tab] {
  return [new Tab(Math.random, 1), new Tab(Math.random, 2)];
}

test("a shape that one draws is on the other's board as it was drawn", () => {
  const [ada, ben] = pair();
  const id = ada.draw({ x: 1.5, y: -3, strokeColor: "#ff0000" });
  ada.commit();
  meet(ada, ben);
  expect(ben.get(id)).toMatchObject({ x: 1.5, y: -3, width: 10, strokeColor: "#ff0000", isDeleted: false });
  expect(picture(ben.scene)).toEqual(picture(ada.scene));
});

test("two who change different sides of one shape both keep their change", () => {
  const [ada, ben] = pair();
  const id = ada.draw();
  ada.commit();
  meet(ada, ben);
  ada.change(id, { x: 100, y: 50 });
  ben.change(id, { strokeColor: "#00ff00" });
  ada.commit();
  ben.commit();
  meet(ada, ben);
  for (const tab of [ada, ben]) expect(tab.get(id)).toMatchObject({ x: 100, y: 50, strokeColor: "#00ff00" });
});

test("what others do to a shape does not disturb whoever is changing it, and is there when they let go", () => {
  const [ada, ben] = pair();
  const id = ada.draw();
  const other = ada.draw();
  ada.commit();
  meet(ada, ben);
  ada.change(id, { x: 40 });
  const inHand = ada.get(id);
  ben.change(id, { strokeColor: "#0000ff" });
  ben.change(other, { x: 7 });
  ben.commit();
  bring(ben, ada);
  expect(ada.get(id)).toBe(inHand);
  expect(ada.get(id)).toMatchObject({ x: 40, strokeColor: "#1e1e1e" });
  expect(ada.get(other)).toMatchObject({ x: 7 });
  ada.change(id, { x: 60 });
  ada.commit();
  expect(ada.get(id)).toMatchObject({ x: 60, strokeColor: "#0000ff" });
});

test("a shape in hand that was not moved yet is left alone too", () => {
  const [ada, ben] = pair();
  const id = ada.draw();
  ada.commit();
  meet(ada, ben);
  ada.inHand = [id];
  const inHand = ada.get(id);
  ben.change(id, { x: 9 });
  ben.commit();
  bring(ben, ada);
  expect(ada.get(id)).toBe(inHand);
  ada.commit();
  expect(ada.get(id)).toMatchObject({ x: 9 });
});

test("a shape that was removed while somebody changed it stays with their change", () => {
  const [ada, ben] = pair();
  const id = ada.draw();
  ada.commit();
  meet(ada, ben);
  ada.change(id, { x: 40 });
  ben.remove(id);
  ben.commit();
  bring(ben, ada);
  expect(ada.ids).toContain(id);
  ada.commit();
  meet(ada, ben);
  for (const tab of [ada, ben]) expect(tab.get(id)).toMatchObject({ x: 40 });
});

test("one gesture is one update, and looking writes nothing", () => {
  const ada = new Tab();
  const updates: Uint8Array[] = [];
  ada.doc.on("update", (update: Uint8Array) => updates.push(update));
  const ids = Array.from({ length: 20 }, () => ada.draw());
  for (let step = 1; step < 50; step += 1) {
    for (const id of ids) ada.change(id, { x: step });
    ada.refresh();
  }
  expect(updates).toEqual([]);
  expect(ada.commit()).toBe(20);
  expect(updates).toHaveLength(1);
  expect(ada.commit()).toBe(0);
  ada.refresh();
  expect(updates).toHaveLength(1);
});

test("undo takes back my last gesture and nothing of anybody else", () => {
  const [ada, ben] = pair();
  const first = ada.draw();
  ada.commit();
  const second = ada.draw();
  ada.commit();
  meet(ada, ben);
  ada.change(first, { x: 5 });
  ada.commit();
  ben.change(first, { strokeColor: "#00ff00" });
  const third = ben.draw();
  ben.commit();
  meet(ada, ben);
  expect(ada.binding.undo()).toBe(true);
  ada.refresh();
  expect(ada.get(first)).toMatchObject({ x: 0, strokeColor: "#00ff00" });
  ada.binding.undo();
  ada.refresh();
  expect(ada.ids).toEqual([first, third]);
  ada.binding.redo();
  ada.refresh();
  expect(ada.ids).toEqual([first, second, third]);
  meet(ada, ben);
  expect(picture(ben.scene)).toEqual(picture(ada.scene));
  // Nothing of Ben's is hers to take back, also when she takes back all.
  while (ada.binding.undo());
  ada.refresh();
  expect(ada.ids).toEqual([third]);
});

test("a removed shape comes back whole by undo", () => {
  const [ada, ben] = pair();
  const id = ada.draw({ type: "text", text: "Pythagoras", fontSize: 20, fontFamily: 5, strokeColor: "#123456" });
  ada.commit();
  meet(ada, ben);
  const before = picture(ben.scene);
  ben.remove(id);
  ben.commit();
  meet(ada, ben);
  expect(ada.ids).toEqual([]);
  ben.binding.undo();
  ben.refresh();
  meet(ada, ben);
  for (const tab of [ada, ben]) expect(picture(tab.scene)).toEqual(before);
});

test("my undo leaves alone what somebody else has changed again since", () => {
  const [ada, ben] = pair();
  const id = ben.draw();
  ben.commit();
  meet(ada, ben);
  ada.change(id, { x: 10 });
  ada.commit();
  meet(ada, ben);
  ben.change(id, { x: 20 });
  ben.commit();
  meet(ada, ben);
  ada.binding.undo();
  ada.refresh();
  expect(ada.get(id)).toMatchObject({ x: 20 });
});

test("shapes drawn on top at the same time have different places, equal for all", () => {
  const [ada, ben] = pair();
  for (let round = 0; round < 30; round += 1) {
    ada.draw();
    ben.draw();
    ada.commit();
    ben.commit();
  }
  meet(ada, ben);
  const indices = ada.scene.map(({ index }) => index);
  expect(new Set(indices).size).toBe(60);
  expect(indices).toEqual([...indices].sort());
  expect(picture(ben.scene)).toEqual(picture(ada.scene));
});

test("two shapes that are kept under one index, or under an illegal one, are shown in one order and written so", () => {
  const [ada, ben] = pair();
  const [low, middle, high] = [ada.draw(), ada.draw(), ada.draw()];
  ada.commit();
  const elements = ada.doc.getMap(ELEMENTS) as Y.Map<Y.Map<string>>;
  const index = elements.get(low)?.get("index") as string;
  elements.get(middle)?.set("index", index);
  elements.get(high)?.set("index", "no index");
  ada.refresh();
  meet(ada, ben);
  expect(ben.ids).toEqual([low, middle, high]);
  expect(picture(ben.scene)).toEqual(picture(ada.scene));
  const between = ben.draw();
  ben.arrange(between, 1);
  ben.commit();
  expect(ben.ids).toEqual([low, between, middle, high]);
  meet(ada, ben);
  expect(ada.ids).toEqual([low, between, middle, high]);
  const kept = [...elements.values()].map((shape) => shape.get("index"));
  expect(new Set(kept).size).toBe(4);
});

test("shapes are moved up and down between the others", () => {
  const [ada, ben] = pair();
  const ids = Array.from({ length: 5 }, () => ada.draw());
  ada.commit();
  meet(ada, ben);
  ben.arrange(ids[4] as string, 0);
  ben.commit();
  ben.arrange(ids[0] as string, 3);
  ben.commit();
  meet(ada, ben);
  expect(ada.ids).toEqual([4, 1, 2, 0, 3].map((at) => ids[at]));
});

test("both sides of a tie agree, also when two tie at the same time", () => {
  const [ada, ben] = pair();
  const box = ada.draw();
  ada.commit();
  meet(ada, ben);
  const tie = {
    type: "arrow",
    points: [
      [0, 0],
      [30, 10],
    ],
    startBinding: { elementId: box, focus: 0.1, gap: 4 },
  };
  const [one, other] = [ada.draw(tie), ben.draw(tie)];
  ada.commit();
  ben.commit();
  meet(ada, ben);
  for (const tab of [ada, ben]) {
    expect((tab.get(box).boundElements as { id: string }[]).map(({ id }) => id)).toEqual([one, other].sort());
  }
  ben.remove(one);
  ben.commit();
  meet(ada, ben);
  expect(ada.get(box).boundElements).toEqual([{ id: other, type: "arrow" }]);
});

test("what others are drawing is shown, cannot be written, and gives way to what they finish", () => {
  const [ada, ben] = pair();
  const box = ada.draw();
  ada.commit();
  meet(ada, ben);
  const drawn = ada.draw({ x: 70 });
  ada.change(box, { x: 33 });
  const preview = ada.binding.preview(ada.scene);
  expect(preview).toBeDefined();
  ben.binding.setPreviews([JSON.parse(JSON.stringify(preview))]);
  ben.refresh();
  expect(ben.get(box)).toMatchObject({ x: 33 });
  expect(ben.get(drawn)).toMatchObject({ x: 70, locked: true });
  expect(ben.commit()).toBe(0);
  // Ben changes what Ada has in hand: his side of it is written, hers is not.
  ben.change(box, { strokeColor: "#00ff00" });
  ben.change(drawn, { x: 0 });
  expect(ben.commit()).toBe(1);
  expect(elementsOf(ben.doc)).toMatchObject([{ id: box, x: 0, strokeColor: "#00ff00" }]);
  ada.commit();
  meet(ada, ben);
  ben.binding.setPreviews([]);
  ben.refresh();
  expect(ben.get(drawn)).toMatchObject({ x: 70, locked: false });
  expect(picture(ben.scene)).toEqual(picture(ada.scene));
  expect(elementsOf(ben.doc)).toEqual(elementsOf(ada.doc));
});

test("a shape in hand that others remove and draw again is on the board once", () => {
  const [ada, ben] = pair();
  const id = ada.draw();
  ada.commit();
  meet(ada, ben);
  const whole = { [id]: { type: "rectangle", at: "[5,5,0]", shape: '{"width":10,"height":10}' } };
  ada.inHand = [id];
  ada.refresh();
  ben.remove(id);
  ben.commit();
  ada.binding.setPreviews([whole]);
  bring(ben, ada);
  ada.refresh();
  expect(ada.ids).toEqual([id]);
  ada.commit();
  ada.binding.setPreviews([]);
  ada.refresh();
  expect(ada.ids).toEqual([]);
});

test("a preview that ends without a word leaves nothing behind", () => {
  const [ada, ben] = pair();
  const box = ada.draw();
  ada.commit();
  meet(ada, ben);
  ada.draw();
  ada.change(box, { x: 33 });
  ben.binding.setPreviews([ada.binding.preview(ada.scene) ?? {}]);
  ben.refresh();
  expect(ben.ids).toHaveLength(2);
  ben.binding.setPreviews([]);
  ben.refresh();
  expect(ben.ids).toEqual([box]);
  expect(ben.get(box)).toMatchObject({ x: 0 });
});

test("garbage that a member writes is not shown and stops nobody", () => {
  const [ada, ben] = pair();
  const good = ada.draw();
  ada.commit();
  const elements = ada.doc.getMap(ELEMENTS) as Y.Map<unknown>;
  elements.set("a string", "no shape");
  elements.set("empty", new Y.Map());
  elements.set(
    "frame of a page",
    new Y.Map([
      ["type", "embeddable"],
      ["at", "[0,0,0]"],
    ]),
  );
  elements.set(
    "inherited",
    new Y.Map([
      ["type", "constructor"],
      ["at", "[0,0,0]"],
    ]),
  );
  elements.set(
    "no json",
    new Y.Map([
      ["type", "rectangle"],
      ["at", "[0,0"],
    ]),
  );
  elements.set(
    "far",
    new Y.Map([
      ["type", "rectangle"],
      ["at", "[1e300,0,0]"],
    ]),
  );
  elements.set(
    "no points",
    new Y.Map([
      ["type", "arrow"],
      ["at", "[0,0,0]"],
      ["shape", '{"points":{}}'],
    ]),
  );
  const odd = {
    at: "[1,2,0]",
    type: "rectangle",
    style: '{"strokeColor":5,"opacity":1e9,"strokeWidth":3}',
    index: "b",
  };
  elements.set("odd", new Y.Map(Object.entries(odd)));
  ada.refresh();
  meet(ada, ben);
  expect(ben.ids).toEqual([good, "odd"]);
  expect(ben.get("odd")).toMatchObject({ x: 1, strokeColor: "#1e1e1e", opacity: 100, strokeWidth: 3 });
  ben.change(good, { x: 4 });
  ben.commit();
  meet(ada, ben);
  expect(ada.get(good)).toMatchObject({ x: 4 });
});

test("a shape that the component drops from its scene is not removed from the board", () => {
  const [ada, ben] = pair();
  const id = ada.draw();
  ada.commit();
  ada.scene = [];
  expect(ada.commit()).toBe(0);
  meet(ada, ben);
  expect(ben.ids).toEqual([id]);
});
