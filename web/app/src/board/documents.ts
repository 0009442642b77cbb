// The room's shared documents as React sees them.
import type { Client, DocumentInfo, Room, RoomEvent, UserId } from "@stoa/client";
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
export function useDocument(room: string, name: string | undefined): SharedDocument | undefined {
  const client = useClient();
  const [document, setDocument] = useState<SharedDocument>();
  useEffect(() => {
    if (name === undefined) return;
    setDocument(acquire(client, room, name));
    return () => {
      setDocument(undefined);
      release(client, room, name);
    };
  }, [client, room, name]);
  // Another one is asked for, and the effect has not run yet.
  return document?.name === name ? document : undefined;
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

export interface DocumentList {
  documents: readonly DocumentInfo[];
  /** Those who were seen deleting documents, by the document. */
  removers: ReadonlyMap<string, UserId>;
}

/** The records of the room's documents; none until they are known. */
export function useDocumentList(room: Room): DocumentList | undefined {
  const client = useClient();
  const isConnected = useClientState().status === "connected";
  const [list, setList] = useState<DocumentList>();
  useEffect(() => {
    // What happened while nothing was heard is asked for when the line is back.
    if (!isConnected) return;
    let isGone = false;
    let isAsking = false;
    let isStale = false;
    const removers = new Map<string, UserId>();
    // One question at a time: answers come in any order, and an older list must not take the place of a newer one.
    const ask = async () => {
      isStale = isAsking;
      if (isAsking) return;
      isAsking = true;
      const reply = await client.query({ type: "doc.list", room: room.id }).catch(() => undefined);
      isAsking = false;
      if (isGone) return;
      if (isStale) return void ask();
      if (reply?.kind === "documents") setList({ documents: reply.documents, removers: new Map(removers) });
    };
    void ask();
    const stop = room.on("event", (event: RoomEvent) => {
      if (event.type === "document.created") removers.delete(event.document);
      if (event.type === "document.deleted" && event.from !== undefined) removers.set(event.document, event.from);
      if (event.type.startsWith("document.")) void ask();
    });
    return () => {
      isGone = true;
      stop();
    };
  }, [client, room, isConnected]);
  return list;
}
