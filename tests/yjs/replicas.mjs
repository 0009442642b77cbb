// Replicas that do as they are told, a line of JSON each: [what, replica, ...]. Each line is answered by one.
import { createInterface } from "node:readline";
import * as Y from "yjs";

const replicas = new Map();

// mulberry32: the same numbers for the same seed.
let state = 0;
function below(end) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % end;
}

const words = ["a", "bc", "ü", "😀", "hello ", "\u202ex", "😀😀", "0123456789"];
const key = () => `k${below(8)}`;
const some = (list) => list[below(list.length)];
const value = () =>
  some([null, true, below(1000) - 500, 9007199254740991, 0.25 * below(100) + 0.125, [some(words), null], { x: some(words) }, some(words)]);
const marks = () => ({ [some(["bold", "color"])]: some([true, null, "red"]) });

/** Places between whole characters: Yjs does not promise what follows when a surrogate pair is cut. */
function cuts(text) {
  const places = [0];
  for (const { insert } of text.toDelta()) {
    for (const piece of typeof insert === "string" ? insert : [insert]) {
      places.push(places.at(-1) + (typeof insert === "string" ? piece.length : 1));
    }
  }
  return places;
}

function changeText(text) {
  const places = cuts(text);
  const from = below(places.length);
  const at = places[from];
  const length = places[Math.min(from + below(6), places.length - 1)] - at;
  const dice = below(10);
  if (dice < 5) text.insert(at, some(words));
  else if (dice === 5) text.insert(at, some(words), marks());
  else if (dice === 6 && length > 0) text.format(at, length, marks());
  else if (dice === 7) text.insertEmbed(at, { image: "x.png" });
  else if (length > 0) text.delete(at, length);
}

function changeMap(map) {
  const dice = below(8);
  if (dice === 0) map.delete(key());
  else if (dice === 1) map.set(key(), new Y.Map([["k1", value()]]));
  else if (dice === 2) map.set(key(), Y.Array.from([value(), value()]));
  else if (dice === 3) map.set(key(), new Y.Text(some(words)));
  else map.set(key(), value());
}

function changeArray(array) {
  const at = below(array.length + 1);
  const dice = below(8);
  if (dice < 2 && at < array.length) array.delete(at, Math.min(below(3) + 1, array.length - at));
  else if (dice === 2) array.insert(at, [new Y.Map([["k2", value()]])]);
  else if (dice === 3) array.insert(at, [new Y.Text(some(words))]);
  else array.insert(at, [value(), value()]);
}

function changeXml(xml) {
  const at = below(xml.length + 1);
  if (at === xml.length) {
    xml.insert(at, [below(2) === 0 ? new Y.XmlElement(some(["p", "h1"])) : new Y.XmlText(some(words))]);
    return;
  }
  const node = xml.get(at);
  const dice = below(6);
  if (dice === 0) xml.delete(at, 1);
  else if (node instanceof Y.XmlText) changeText(node);
  else if (dice === 1) node.setAttribute(key(), some(words));
  else if (dice === 2) node.insert(0, [new Y.XmlElement("li")]);
  else if (node.length > 0 && node.get(0) instanceof Y.XmlText) changeText(node.get(0));
  else node.insert(0, [new Y.XmlText(some(words))]);
}

function changeInner(inner) {
  if (inner instanceof Y.Text) changeText(inner);
  else if (inner instanceof Y.Array) changeArray(inner);
  else if (inner instanceof Y.Map) {
    const deeper = inner.get(key());
    if (deeper instanceof Y.AbstractType && below(3) > 0) changeInner(deeper);
    else changeMap(inner);
  }
}

function edit(doc) {
  doc.transact(() => {
    for (let left = below(3); left >= 0; left--) {
      const dice = below(12);
      if (dice < 4) changeText(doc.getText("text"));
      else if (dice < 6) changeMap(doc.getMap("map"));
      else if (dice < 8) changeArray(doc.getArray("array"));
      else if (dice < 10) changeXml(doc.getXmlFragment("xml"));
      else changeInner(doc.getMap("map").get(key()));
    }
  });
}

/** Text in pieces of the same marks; how it is cut within them says nothing. */
function chunks(text) {
  const pieces = [];
  for (const { insert, attributes } of text.toDelta()) {
    const marks = Object.fromEntries(Object.entries(attributes ?? {}).filter(([, mark]) => mark !== null).sort());
    const last = pieces.at(-1);
    const joins = typeof insert === "string" && typeof last?.[0] === "string";
    if (joins && JSON.stringify(last[1]) === JSON.stringify(marks)) last[0] += insert;
    else pieces.push([shown(insert), marks]);
  }
  return pieces;
}

const fields = (map) => Object.fromEntries([...map.entries()].map(([name, own]) => [name, shown(own)]));

function shown(item) {
  if (item instanceof Y.Text) return { text: chunks(item) };
  if (item instanceof Y.Array) return { array: item.toArray().map(shown) };
  if (item instanceof Y.XmlElement) {
    return { name: item.nodeName, attributes: item.getAttributes(), xml: item.toArray().map(shown) };
  }
  if (item instanceof Y.Map) return { map: fields(item) };
  return item;
}

function content(doc) {
  return {
    text: chunks(doc.getText("text")),
    map: fields(doc.getMap("map")),
    array: doc.getArray("array").toArray().map(shown),
    xml: doc.getXmlFragment("xml").toArray().map(shown),
  };
}

const bytes = (text) => Buffer.from(text, "base64");
const text = (update) => Buffer.from(update).toString("base64");

const does = {
  seed(seed) {
    state = seed;
    replicas.clear();
    return true;
  },
  make(name, client) {
    const doc = new Y.Doc();
    doc.clientID = client;
    replicas.set(name, doc);
    return true;
  },
  edit(name) {
    edit(replicas.get(name));
    return true;
  },
  apply(name, update) {
    const doc = replicas.get(name);
    Y.applyUpdate(doc, bytes(update));
    return doc.store.pendingStructs === null && doc.store.pendingDs === null;
  },
  vector: (name) => text(Y.encodeStateVector(replicas.get(name))),
  lacking: (name, vector) => text(Y.encodeStateAsUpdate(replicas.get(name), bytes(vector))),
  content: (name) => content(replicas.get(name)),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [what, ...rest] = JSON.parse(line);
  console.log(JSON.stringify(does[what](...rest)));
}
