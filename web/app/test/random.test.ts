import { expect, test } from "vitest";
import type * as Y from "yjs";
import { ELEMENTS, elementsOf } from "../src/board/binding/binding.ts";
import { GROUPS } from "../src/board/binding/codec.ts";
import { bring, meet, picture, seeded, Tab } from "./scene.ts";

/** `SEED=7 npm test` runs one of them again. */
const fixed = process.env.SEED === undefined ? undefined : Number(process.env.SEED);
const first = fixed ?? Math.floor(Math.random() * 2 ** 31);
const RUNS = fixed === undefined ? 60 : Number(process.env.RUNS ?? 1);
const STEPS = 300;

test(`whatever they draw, boards that have seen the same are the same (seed ${first})`, { timeout: 120_000 }, () => {
  for (let run = 0; run < RUNS; run += 1) live(first + run);
});

function live(seed: number): void {
  const random = seeded(seed);
  const below = (most: number) => Math.floor(random() * most);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const tabs = Array.from({ length: 2 + below(3) }, (_, at) => new Tab(random, at + 1));

  const act = (tab: Tab) => {
    const { ids } = tab;
    const kind = below(14);
    if (kind < 3 || ids.length === 0) return void tab.draw({ x: below(1000), type: pick(["rectangle", "ellipse"]) });
    const id = pick(ids);
    if (kind < 5) return tab.change(id, { x: below(1000), y: below(1000) });
    if (kind < 6) return tab.change(id, { strokeColor: `#${below(10)}${below(10)}0000` });
    if (kind < 7) return tab.change(id, { width: below(100), height: below(100) });
    if (kind < 8) return tab.remove(id);
    if (kind < 9) return tab.arrange(id, below(ids.length));
    if (kind < 10) {
      const startBinding = { elementId: id, focus: 0.5, gap: 1 };
      return void tab.draw({
        type: "arrow",
        points: [
          [0, 0],
          [below(100), below(100)],
        ],
        startBinding,
      });
    }
    if (kind < 11) {
      tab.inHand = [id];
      return undefined;
    }
    tab.commit();
    if (kind === 12) undoMine(tab, seed);
    if (kind === 13) tab.binding.redo();
    return tab.refresh();
  };

  for (let step = 0; step < STEPS; step += 1) {
    const tab = pick(tabs);
    if (random() < 0.7) act(tab);
    else bring(pick(tabs), tab);
    if (random() < 0.1) {
      const others = tabs.filter((each) => each !== tab && random() < 0.5);
      tab.binding.setPreviews(others.map((other) => other.binding.preview(other.scene) ?? {}));
      tab.refresh();
    }
  }
  for (const tab of tabs) {
    tab.binding.setPreviews([]);
    tab.commit();
  }
  meet(...tabs);
  const [one, ...others] = tabs as [Tab, ...Tab[]];
  const what = `seed ${seed}`;
  const indices = one.scene.map(({ index }) => index as string);
  expect(new Set(indices).size, what).toBe(indices.length);
  expect(indices, what).toEqual([...indices].sort());
  for (const tab of tabs) {
    expect(picture(tab.scene), what).toEqual(picture(elementsOf(tab.doc)));
    expect(tab.commit(), what).toBe(0);
  }
  for (const other of others) {
    expect(picture(other.scene), what).toEqual(picture(one.scene));
    expect(elementsOf(other.doc), what).toEqual(elementsOf(one.doc));
  }
}

/** Every group that this undo takes back was written by this tab: Yjs says by whom. */
function undoMine(tab: Tab, seed: number): void {
  const writers = () => {
    const found = new Map<string, { by: number; owner: number; value: string | undefined }>();
    const elements = tab.doc.getMap(ELEMENTS) as Y.Map<Y.Map<string>>;
    for (const [id, shape] of elements) {
      const owner = elements._map.get(id)?.id.client as number;
      for (const group of GROUPS) {
        const by = shape._map.get(group)?.id.client as number;
        found.set(`${id} ${group}`, { by, owner, value: shape.get(group) });
      }
    }
    return found;
  };
  const before = writers();
  tab.binding.undo();
  const after = writers();
  for (const [what, { by, owner, value }] of before) {
    if (value === undefined || after.get(what)?.value === value) continue;
    const isMine = by === tab.doc.clientID || owner === tab.doc.clientID;
    expect(isMine, `${what} was taken back by ${tab.doc.clientID} (seed ${seed})`).toBe(true);
  }
}
