import { afterEach, expect, test } from "vitest";
import * as Y from "yjs";
import { type Aside, type AsideShelf, type Replica, SharedDocument } from "../src/documents.ts";
import type { Client } from "../src/index.ts";
import { DocServer } from "./docserver.ts";
import { FakeClock, settle } from "./fake.ts";
import { seeded } from "./world.ts";

const opened: { client: Client; document: SharedDocument }[] = [];
afterEach(() => {
  for (const { client, document } of opened.splice(0)) {
    document.close();
    client.close();
  }
});

/** What a browser keeps: it outlives the pages. */
class Disk {
  readonly kept = new Map<string, { updates: Uint8Array[]; values: Map<string, unknown> }>();
  readonly aside = new Map<string, Map<number, Aside>>();

  readonly asides = (name: string): AsideShelf => {
    const found = this.aside.get(name) ?? new Map<number, Aside>();
    this.aside.set(name, found);
    return {
      load: async () => [...found.values()],
      put: async (aside) => void found.set(aside.id, aside),
      drop: async (id) => void found.delete(id),
      close: () => {},
    };
  };

  readonly replica = (name: string, doc: Y.Doc): Replica => {
    const found = this.kept.get(name) ?? { updates: [], values: new Map<string, unknown>() };
    this.kept.set(name, found);
    const origin = {};
    const keep = (update: Uint8Array, from: unknown) => void (from !== origin && found.updates.push(update));
    for (const update of found.updates) Y.applyUpdate(doc, update, origin);
    doc.on("update", keep);
    const stop = async () => doc.off("update", keep);
    return {
      origin,
      loaded: Promise.resolve(),
      get: async (key) => found.values.get(key),
      set: async (key, value) => void found.values.set(key, value),
      clear: async () => {
        doc.off("update", keep);
        if (this.kept.get(name) === found) this.kept.delete(name);
      },
      close: stop,
    };
  };
}

async function open(server: DocServer, clock: FakeClock, user = "ada", disk?: Disk): Promise<SharedDocument> {
  const client = server.client(clock, user);
  void client.room("r").open();
  const document = new SharedDocument(client, "r", "board", { clock, replica: disk?.replica, asides: disk?.asides });
  opened.push({ client, document });
  await clock.advance(100);
  return document;
}

const text = (document: { doc: Y.Doc }) => document.doc.getText("t").toString();
const write = (document: SharedDocument, words: string) => document.doc.getText("t").insert(0, words);

test("what one writes is told as saved, and reaches the other, when the server has it", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock, "ada");
  const ben = await open(server, clock, "ben");
  expect(ada.state).toMatchObject({ phase: "open", mayEdit: true, waiting: 0, hasContent: true });
  write(ada, "Hello");
  await settle();
  expect(ada.state.waiting).toBe(1);
  await clock.advance(100);
  expect(ada.state.waiting).toBe(1);
  expect(text(ben)).toBe("");
  await server.save();
  expect(ada.state.waiting).toBe(0);
  expect(text(ben)).toBe("Hello");
});

test("edits that are made at once are one batch", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  for (const word of ["a", "b", "c", "d"]) write(ada, word);
  await clock.advance(100);
  expect(server.edits).toBe(1);
  expect(ada.state.waiting).toBe(4);
  await server.save();
  expect(text({ doc: server.doc })).toBe("dcba");
  expect(ada.state.waiting).toBe(0);
});

test("a large document comes in parts", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  server.doc.getText("t").insert(0, "x".repeat(100_000));
  const ada = await open(server, clock);
  expect(text(ada)).toHaveLength(100_000);
});

test("what was not saved when the server died is sent again, and what was done offline with it", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock, "ada");
  const ben = await open(server, clock, "ben");
  write(ada, "one ");
  await clock.advance(100);
  await server.save();
  write(ada, "two ");
  await clock.advance(100);
  await server.crash();
  expect(ada.state).toMatchObject({ phase: "offline", waiting: 1 });
  write(ada, "three ");
  write(ben, "from Ben ");
  await settle();
  expect(ada.state.waiting).toBe(2);
  server.isDown = false;
  await clock.advance(60_000);
  expect(ada.state).toMatchObject({ phase: "open", waiting: 2 });
  await server.save();
  await clock.advance(100);
  expect(ada.state.waiting).toBe(0);
  expect(text(ada)).toBe(text(ben));
  for (const words of ["one", "two", "three", "from Ben"]) expect(text({ doc: server.doc })).toContain(words);
});

test("offline edits outlive the page", async () => {
  const [server, clock, disk] = [new DocServer(), new FakeClock(), new Disk()];
  const before = await open(server, clock, "ada", disk);
  write(before, "saved ");
  await clock.advance(100);
  await server.save();
  await server.crash();
  write(before, "offline ");
  await settle();
  const [{ client }] = opened.splice(0, 1) as unknown as [{ client: Client }];
  before.close();
  client.close();
  // The next page starts offline: what was kept is there to read and to write on.
  const after = await open(server, clock, "ada", disk);
  expect(text(after)).toBe("offline saved ");
  expect(after.state).toMatchObject({ hasContent: true, waiting: 1 });
  server.isDown = false;
  await clock.advance(60_000);
  await server.save();
  expect(after.state).toMatchObject({ phase: "open", waiting: 0 });
  expect(text({ doc: server.doc })).toBe("offline saved ");
});

test("a refused edit is put aside, and the replica is the server's again", async () => {
  const [server, clock, disk] = [new DocServer(), new FakeClock(), new Disk()];
  server.doc.getText("t").insert(0, "theirs");
  const ada = await open(server, clock, "ada", disk);
  const old = ada.doc;
  server.refusal = "full";
  write(ada, "mine ");
  await clock.advance(60);
  // Two more on the way behind it.
  await clock.advance(100);
  server.refusal = undefined;
  await clock.advance(100);
  expect(ada.doc).not.toBe(old);
  expect(ada.doc.clientID).not.toBe(old.clientID);
  expect(text(ada)).toBe("theirs");
  expect(ada.state).toMatchObject({ phase: "open", waiting: 0 });
  const [aside] = ada.state.aside;
  expect(aside).toMatchObject({ reason: "full" });
  const copy = new Y.Doc();
  Y.applyUpdate(copy, aside?.update as Uint8Array);
  expect(copy.getText("t").toString()).toBe("mine theirs");
  // It goes on working, and the kept replica is without what was refused.
  write(ada, "more ");
  await clock.advance(100);
  await server.save();
  expect(text({ doc: server.doc })).toBe("more theirs");
  const again = await open(server, clock, "ada", disk);
  expect(text(again)).toBe("more theirs");
  ada.forget(aside?.id as number);
  expect(ada.state.aside).toEqual([]);
});

test("more than a MiB from a time offline arrives in pieces, a few at a time", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  await server.crash();
  for (let each = 0; each < 30; each += 1) write(ada, `${each}: ${"x".repeat(100_000)} `);
  server.isDown = false;
  await clock.advance(60_000);
  expect(ada.state).toMatchObject({ phase: "open", waiting: 30 });
  const bytes = () => server.waiting.reduce((sum, { update }) => sum + update.length, 0);
  for (let round = 0; ada.state.waiting > 0 && round < 20; round += 1) {
    expect(bytes()).toBeLessThanOrEqual(1024 * 1024);
    for (const { update } of server.waiting) expect(update.length).toBeLessThanOrEqual(256 * 1024);
    await server.save();
  }
  expect(ada.state).toMatchObject({ waiting: 0, aside: [] });
  expect(text({ doc: server.doc })).toBe(text(ada));
  expect(text(ada).length).toBeGreaterThan(3_000_000);
});

test("one edit of megabytes arrives too", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  write(ada, "long ".repeat(500_000));
  await clock.advance(100);
  for (let round = 0; ada.state.waiting > 0 && round < 20; round += 1) await server.save();
  expect(ada.state).toMatchObject({ waiting: 0, aside: [] });
  expect(text({ doc: server.doc })).toBe(text(ada));
});

test("one value that is larger than the server takes is put aside, and nothing else is lost", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  write(ada, "before ");
  await clock.advance(100);
  await server.save();
  ada.doc.getMap("m").set("large", "x".repeat(1_200_000));
  await clock.advance(100);
  expect(ada.state.aside).toMatchObject([{ reason: "too_large" }]);
  write(ada, "after ");
  await clock.advance(100);
  await server.save();
  expect(text({ doc: server.doc })).toBe("after before ");
});

test("work that was put aside outlives the page, until its author lets it go", async () => {
  const [server, clock, disk] = [new DocServer(), new FakeClock(), new Disk()];
  const before = await open(server, clock, "ada", disk);
  server.refusal = "full";
  write(before, "mine ");
  await clock.advance(100);
  server.refusal = undefined;
  expect(before.state.aside).toHaveLength(1);
  const [{ client }] = opened.splice(0, 1) as unknown as [{ client: Client }];
  before.close();
  client.close();
  const after = await open(server, clock, "ada", disk);
  const [aside] = after.state.aside;
  expect(aside).toMatchObject({ reason: "full" });
  const copy = new Y.Doc();
  Y.applyUpdate(copy, aside?.update as Uint8Array);
  expect(copy.getText("t").toString()).toBe("mine ");
  after.forget(aside?.id as number);
  const again = await open(server, clock, "ada", disk);
  expect(again.state.aside).toEqual([]);
});

test("of many refusals nothing is dropped: the oldest become one", async () => {
  const [server, clock, disk] = [new DocServer(), new FakeClock(), new Disk()];
  const ada = await open(server, clock, "ada", disk);
  server.refusal = "forbidden";
  for (let each = 0; each < 30; each += 1) {
    write(ada, `<${each}>`);
    await clock.advance(100);
  }
  expect(ada.state.aside).toHaveLength(20);
  expect(disk.aside.values().next().value?.size).toBe(20);
  const words = ada.state.aside.map(({ update }) => {
    const copy = new Y.Doc();
    Y.applyUpdate(copy, update);
    return copy.getText("t").toString();
  });
  for (let each = 0; each < 30; each += 1) expect(words.join("")).toContain(`<${each}>`);
});

test("while the server's store is away work waits and is sent again, however long that takes", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  server.refusal = "unavailable";
  write(ada, "one ");
  await clock.advance(300_000);
  write(ada, "two ");
  await clock.advance(300_000);
  expect(ada.state).toMatchObject({ phase: "open", waiting: 2, aside: [] });
  server.refusal = undefined;
  await clock.advance(60_000);
  await server.save();
  expect(ada.state).toMatchObject({ waiting: 0, aside: [] });
  expect(text({ doc: server.doc })).toBe("two one ");
});

test("a server that fails over the same work again and again gets it a few times, and then it is put aside", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  server.refusal = "internal";
  write(ada, "unlucky");
  await clock.advance(300_000);
  expect(server.edits).toBe(5);
  expect(ada.state).toMatchObject({ waiting: 0, aside: [{ reason: "internal" }] });
});

test("it is told how full the document is", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  expect(ada.state.fill).toBeUndefined();
  const [peer] = [...server.peers];
  peer?.say({ type: "doc.fill", channel: 3, percent: 83 });
  await settle();
  expect(ada.state.fill).toBe(83);
  peer?.say({ type: "doc.fill", channel: 3 });
  await settle();
  expect(ada.state.fill).toBeUndefined();
});

test("nothing is kept under nobody's name: it waits until the server has told who this is", async () => {
  const [server, clock, disk] = [new DocServer(), new FakeClock(), new Disk()];
  const client = server.client(clock, "an: odd/name", false);
  void client.room("r").open();
  const document = new SharedDocument(client, "r", "board", { clock, replica: disk.replica, asides: disk.asides });
  opened.push({ client, document });
  expect([...disk.kept.keys()]).toEqual([]);
  await clock.advance(100);
  expect(document.state.phase).toBe("open");
  expect([...disk.kept.keys()]).toEqual(["stoa:an%3A%20odd%2Fname:r:board"]);
});

test("answers about batches behind a refused one do not disturb the new replica", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  write(ada, "one ");
  await clock.advance(100);
  write(ada, "two ");
  await clock.advance(100);
  const [peer] = [...server.peers];
  server.waiting.length = 0;
  peer?.say({ type: "doc.refused", channel: 3, batch: 1, reason: "forbidden", message: "" });
  await settle();
  write(ada, "three ");
  peer?.say({ type: "doc.refused", channel: 3, batch: 2, reason: "gap", message: "" });
  await clock.advance(100);
  await server.save();
  expect(ada.state.aside).toHaveLength(1);
  expect(text({ doc: server.doc })).toBe("three ");
});

test("a right that is taken away while connected is told, and what was under way is put aside", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  write(ada, "under way");
  await server.rights(false);
  expect(ada.state.mayEdit).toBe(false);
  await clock.advance(100);
  expect(ada.state).toMatchObject({ waiting: 0, mayEdit: false });
  expect(ada.state.aside).toMatchObject([{ reason: "forbidden" }]);
  await server.rights(true);
  expect(ada.state.mayEdit).toBe(true);
});

test("a right that was taken away while offline: the offline work is put aside", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock);
  await server.crash();
  write(ada, "offline");
  server.mayEdit = false;
  server.isDown = false;
  await clock.advance(60_000);
  expect(ada.state.aside).toMatchObject([{ reason: "forbidden" }]);
  expect(text(ada)).toBe("");
});

test("a viewer sends nothing", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  server.mayEdit = false;
  server.doc.getText("t").insert(0, "theirs");
  const ada = await open(server, clock);
  await server.crash();
  server.isDown = false;
  await clock.advance(60_000);
  expect(text(ada)).toBe("theirs");
  expect(server.edits).toBe(0);
});

test("a document that began anew is not merged with what was kept of the old one", async () => {
  const [server, clock, disk] = [new DocServer(), new FakeClock(), new Disk()];
  const ada = await open(server, clock, "ada", disk);
  write(ada, "old");
  await clock.advance(100);
  await server.save();
  await server.crash();
  server.doc = new Y.Doc();
  server.epoch = "life 2";
  server.isDown = false;
  await clock.advance(60_000);
  expect(text(ada)).toBe("");
  expect(server.waiting).toEqual([]);
  expect(ada.state.aside).toEqual([]);
});

test("cursors travel, and go with the connection", async () => {
  const [server, clock] = [new DocServer(), new FakeClock()];
  const ada = await open(server, clock, "ada");
  const ben = await open(server, clock, "ben");
  ada.awareness.setLocalState({ cursor: 1 });
  ada.awareness.setLocalStateField("cursor", 2);
  await clock.advance(100);
  expect(ben.awareness.getStates().get(ada.doc.clientID)).toEqual({ cursor: 2 });
  await server.crash();
  expect(ben.awareness.getStates().has(ada.doc.clientID)).toBe(false);
});

const fixed = process.env.SEED === undefined ? undefined : Number(process.env.SEED);
const first = fixed ?? Math.floor(Math.random() * 2 ** 31);
const RUNS = fixed === undefined ? 40 : 1;

test(`through crashes and reloads nothing is lost and all end equal (seed ${first})`, {
  timeout: 120_000,
}, async () => {
  for (let run = 0; run < RUNS; run += 1) await live(first + run);
});

async function live(seed: number): Promise<void> {
  const random = seeded(seed);
  const [server, clock] = [new DocServer(), new FakeClock()];
  clock.random = random;
  const users = ["ada", "ben", "cyd"];
  const disks = users.map(() => new Disk());
  const all = await Promise.all(users.map((user, at) => open(server, clock, user, disks[at])));
  const written: string[] = [];
  for (let step = 0; step < 80; step += 1) {
    const at = Math.floor(random() * users.length);
    const kind = random();
    const document = all[at] as SharedDocument;
    if (kind < 0.5) {
      const word = `<${seed}.${step}>`;
      written.push(word);
      const shared = document.doc.getText("t");
      shared.insert(Math.floor(random() * (shared.length + 1)), word);
    } else if (kind < 0.7) await clock.advance(Math.floor(random() * 200));
    else if (kind < 0.85) await server.save();
    else if (kind < 0.92) {
      await server.crash();
      await clock.advance(Math.floor(random() * 3_000));
      server.isDown = false;
    } else {
      // The page is loaded anew.
      await settle();
      const open1 = opened.find((each) => each.document === document);
      document.close();
      open1?.client.close();
      all[at] = await open(server, clock, users[at], disks[at]);
    }
  }
  server.isDown = false;
  for (let round = 0; round < 4; round += 1) {
    await clock.advance(60_000);
    await server.save();
  }
  const end = text({ doc: server.doc });
  // Words may be split by others' words; their characters are all there.
  expect([...end].sort().join(""), `seed ${seed}`).toBe([...written.join("")].sort().join(""));
  for (const document of all) {
    expect(text(document), `seed ${seed}`).toBe(end);
    expect(document.state, `seed ${seed}`).toMatchObject({ waiting: 0, phase: "open", aside: [] });
  }
}
