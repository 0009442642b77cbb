// Shared documents for the client: `new SharedDocument(client, room, "board")` gives a Yjs document that any Yjs
// binding can be put on. Apart from the client itself, so that who only chats does not load Yjs.

export { Awareness } from "y-protocols/awareness";
export * as Y from "yjs";
export type { Aside, AsideShelf } from "./asides.ts";
export {
  type DocumentEvents,
  type DocumentOptions,
  type DocumentState,
  type Replica,
  SharedDocument,
} from "./document.ts";
export { forgetReplicas, unsavedReplicas } from "./forget.ts";
export { indexedDbAsides, indexedDbReplica } from "./replica.ts";
