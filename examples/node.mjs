// Says something in a room, from Node: `STOA_URL=https://stoa.example STOA_TOKEN=... node node.mjs lobby "Hello"`.
// Node 22 and later have a WebSocket; for earlier ones install `ws`.
import { connect } from "@stoa/client";

const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
const [roomId = "lobby", words = "Hello from Node"] = process.argv.slice(2);

const client = connect({
  url: new URL("/v1/ws", process.env.STOA_URL),
  token: () => process.env.STOA_TOKEN,
  WebSocket,
  client: "node-example/1",
});
client.on("change", ({ status, refusal }) => {
  if (status === "refused") {
    console.error(refusal.message);
    process.exitCode = 1;
    client.close();
  }
});

const room = client.room(roomId);
await room.open();
const place = await room.send(words).acked;
for (const { seq, from, text } of room.state.messages) console.log(`${seq} ${from}: ${text}`);
console.log(`committed at ${place}`);
client.close();
