// The room's shared documents as React sees them.
import type { Client, DocumentInfo, Room, RoomEvent } from "@stoa/client";
import { type DocumentState, indexedDbAsides, indexedDbReplica, SharedDocument } from "@stoa/client/documents";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { useClient, useClientState } from "../hooks.ts";

interface Held {
  document: SharedDocument;
  users: number;
}

/** One replica per document, however many components show it: two would have one channel. */
const held = new WeakMap<Client, Map<string, Held>>();

function acquire(client: Client, room: string, name: string): SharedDocument {
  const documents = held.get(client) ?? new Map<string, Held>();
  held.set(client, documents);
  const key = `${room} ${name}`;
  const found = documents.get(key) ?? {
    document: new SharedDocument(client, room, name, { replica: indexedDbReplica, asides: indexedDbAsides }),
    users: 0,
  };
  documents.set(key, found);
  found.users += 1;
  return found.document;
}

function release(client: Client, room: string, name: string): void {
  const documents = held.get(client);
  const key = `${room} ${name}`;
  const found = documents?.get(key);
  if (!found) return;
  found.users -= 1;
  // Whoever leaves one pane for another of the same document gives it back before taking it.
  queueMicrotask(() => {
    if (found.users > 0 || documents?.get(key) !== found) return;
    documents.delete(key);
    found.document.close();
  });
}

/** A document that is open while it is shown. */
export function useDocument(room: string, name: string): SharedDocument | undefined {
  const client = useClient();
  const [document, setDocument] = useState<SharedDocument>();
  useEffect(() => {
    setDocument(acquire(client, room, name));
    return () => {
      setDocument(undefined);
      release(client, room, name);
    };
  }, [client, room, name]);
  return document;
}

export function useDocumentState(document: SharedDocument): DocumentState {
  const listen = useCallback((told: () => void) => document.on("change", told), [document]);
  return useSyncExternalStore(listen, () => document.state);
}

/** The Yjs document, which is another one after something was refused. */
export function useDoc(document: SharedDocument): SharedDocument["doc"] {
  const listen = useCallback((told: () => void) => document.on("doc", told), [document]);
  return useSyncExternalStore(listen, () => document.doc);
}

/** The records of the room's documents; none until they are known. */
export function useDocumentList(room: Room): readonly DocumentInfo[] | undefined {
  const client = useClient();
  const isConnected = useClientState().status === "connected";
  const [list, setList] = useState<readonly DocumentInfo[]>();
  useEffect(() => {
    // What happened while nothing was heard is asked for when the line is back.
    if (!isConnected) return;
    let isGone = false;
    const ask = () =>
      void client.query({ type: "doc.list", room: room.id }).then(
        (reply) => {
          if (!isGone && reply.kind === "documents") setList(reply.documents);
        },
        () => {},
      );
    ask();
    const stop = room.on("event", (event: RoomEvent) => {
      if (event.type.startsWith("document.")) ask();
    });
    return () => {
      isGone = true;
      stop();
    };
  }, [client, room, isConnected]);
  return list;
}
