// Reads a document and prints it.
import { connect, shown, synced } from "./common.mjs";

const [port, room, document, token] = process.argv.slice(2);
const { doc, provider } = await connect(port, room, document, token);
doc.getText("text");
doc.getMap("map");
await synced(provider);
console.log(shown(doc));
process.exit(0);
