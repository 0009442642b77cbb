// Edits for a while with random disconnects, then waits until nothing changes any more, and prints what it has.
import { connect, pause, shown, synced } from "./common.mjs";

const [port, room, document, token, seconds, seed, name] = process.argv.slice(2);
const user = name ?? JSON.parse(Buffer.from(token.split(".")[1], "base64url")).sub;

// mulberry32: the same numbers for the same seed.
let state = Number(seed);
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const { doc, provider, renew } = await connect(port, room, document, token);
const text = doc.getText("text");
const map = doc.getMap("map");
let changedAt = Date.now();
doc.on("update", () => {
  changedAt = Date.now();
});
// Editors do not put a cursor into the middle of a surrogate pair, and Yjs does not promise what follows if one does.
function place(below) {
  const at = Math.floor(random() * below);
  return text.toString().charCodeAt(at) >> 10 === 0x37 ? at - 1 : at;
}

const end = Date.now() + Number(seconds) * 1000;
map.set(`from-${user}`, true);
while (Date.now() < end) {
  const dice = random();
  if (dice < 0.5) {
    text.insert(place(text.length + 1), ["a", "ü", "😀", "word "][Math.floor(random() * 4)]);
  } else if (dice < 0.7 && text.length > 40) {
    const at = place(text.length - 1);
    const pair = text.toString().charCodeAt(at) >> 10 === 0x36;
    text.delete(at, pair ? 2 : 1);
  } else if (dice < 0.97) {
    map.set(`k${Math.floor(random() * 20)}`, { by: user, n: Math.floor(random() * 1000) });
  } else if (token !== "offline") {
    provider.disconnect();
    await pause(random() * 300);
    await renew();
    provider.connect();
  }
  await pause(random() * 40);
}
map.set(`done-${user}`, true);
if (token !== "offline") {
  await renew();
  provider.connect();
  await synced(provider);
  while (!(map.has("done-ada") && map.has("done-ben")) || Date.now() - changedAt < 1500) {
    await pause(50);
  }
}
console.log(shown(doc));
process.exit(0);
