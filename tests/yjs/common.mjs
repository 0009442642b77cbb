import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

/** A ticket for the document, or none when the server is not asked. */
async function ticket(port, room, document, token) {
  if (token === "offline") {
    return "none";
  }
  const url = `http://127.0.0.1:${port}/v1/rooms/${room}/documents/${document}/ticket`;
  const reply = await fetch(url, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  if (!reply.ok) {
    throw new Error(`no ticket: ${reply.status} ${await reply.text()}`);
  }
  return (await reply.json()).ticket;
}

/** A document behind the unmodified provider. */
export async function connect(port, room, document, token) {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}/v1/yjs/${room}`, document, doc, {
    WebSocketPolyfill: WebSocket,
    params: { ticket: await ticket(port, room, document, token) },
    disableBc: true,
  });
  const renew = async () => {
    provider.params = { ticket: await ticket(port, room, document, token) };
  };
  return { doc, provider, renew };
}

/** A value with the keys of its objects in order: an object in a map is a value, and its order says nothing. */
function ordered(value) {
  if (Array.isArray(value)) {
    return value.map(ordered);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, own]) => [name, ordered(own)]));
}

/** The content, the same for equal documents. */
export function shown(doc) {
  return JSON.stringify({ text: doc.getText("text").toString(), map: ordered(doc.getMap("map").toJSON()) });
}

/** Waits. */
export function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

/** Completes when the provider has the server's state. */
export async function synced(provider) {
  while (!provider.synced) {
    await pause(20);
  }
}
