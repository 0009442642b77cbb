// Types offline, and goes on typing in the moment in which the connection is back, before either side has told the other
// what it has. Prints how often the server refused something, how often it closed the connection, and how much was typed.
import { connect, pause, synced } from "./common.mjs";

const [port, room, document, token] = process.argv.slice(2);
const { doc, provider, renew } = await connect(port, room, document, token);
const map = doc.getMap("elements");
let typed = 0;
function type() {
  map.set(`k${typed}`, "x");
  typed += 1;
}

let refused = 0;
const warn = console.warn;
console.warn = (...words) => {
  refused += 1;
  warn(...words);
};
const closed = [];
let isOurs = false;
provider.on("connection-close", (event) => {
  if (!isOurs) {
    closed.push(event?.code ?? 0);
  }
});
await synced(provider);
for (let round = 0; round < 3; round += 1) {
  isOurs = true;
  provider.disconnect();
  await renew();
  type();
  const open = new Promise((done) => {
    provider.once("status", function told({ status }) {
      if (status === "connected") {
        done();
      } else {
        provider.once("status", told);
      }
    });
  });
  provider.connect();
  await open;
  isOurs = false;
  // More than the server forgives where they are no honest mistake.
  for (let key = 0; key < 20; key += 1) {
    type();
  }
  await synced(provider);
  await pause(200);
  type();
}
// What was typed last is there when another has it.
const other = await connect(port, room, document, token);
while (other.doc.getMap("elements").size < typed) {
  await pause(20);
}
console.log(JSON.stringify({ refused, closed, typed }));
process.exit(0);
