// Where this page is: below which path the server lives, and what the address names.
import { useSyncExternalStore } from "react";

// The script is at `{root}/assets/`, whatever prefix a proxy has put before it.
const above = import.meta.env.DEV ? "/" : "..";

/** The server's own root, with its path prefix and a slash at the end. */
export const root = new URL(above, import.meta.url);

/** The address of something of the server's: `v1/ws`, `r/lobby`. */
export function at(path: string): URL {
  return new URL(path, root);
}

/** What a room is looked at as. */
export type View = "chat" | "call" | "board";

export interface Place {
  /** The rooms, or what a link leads to. */
  page: "rooms" | "join" | "invite";
  /** The room that the address names. */
  room?: string;
  /** The message in it. */
  seq?: number;
  view: View;
  /** Which of the room's shared documents its board is to show; the first board where none is named. */
  document?: string;
}

/** Where one may go: a room, a message in it, one of its other views, or a document in its board's. */
export interface Target {
  room: string | undefined;
  seq?: number;
  view?: View;
  document?: string;
}

const ROOM = /^r\/([A-Za-z0-9._~-]{1,128})(?:\/(?:m\/(\d{1,16})|(call)|(board)(?:\/([A-Za-z0-9._~-]{1,64}))?))?\/?$/;
/** Pages of other sites show the same addresses below this. */
const EMBEDDED = "embed/";

function pathOf(url: { pathname: string }): string {
  return url.pathname.startsWith(root.pathname) ? url.pathname.slice(root.pathname.length) : "";
}

/** Whether the address is one that other sites may show inside of theirs. */
export const isEmbedded = `${pathOf(location)}/`.startsWith(EMBEDDED);
const base = isEmbedded ? EMBEDDED : "";

/** Reads an address. Everything that is nothing else is the list of rooms. */
export function read(url: { pathname: string }): Place {
  const path = pathOf(url);
  const own = path.startsWith(base) ? path.slice(base.length) : path;
  const [, room, seq, call, board, document] = ROOM.exec(own) ?? [];
  if (room !== undefined) {
    const view = (call ?? board ?? "chat") as View;
    return { page: "rooms", room, seq: seq === undefined ? undefined : Number(seq), view, document };
  }
  const page = /^(join|invite)\/?$/.exec(own)?.[1] as "join" | "invite" | undefined;
  return { page: page ?? "rooms", view: "chat" };
}

function pathTo({ room, seq, view, document }: Target): string {
  if (room === undefined) return "";
  if (seq !== undefined) return `r/${room}/m/${seq}`;
  if (view === "board" && document !== undefined) return `r/${room}/board/${document}`;
  return view === undefined || view === "chat" ? `r/${room}` : `r/${room}/${view}`;
}

function targetOf(where: string | undefined | Target): Target {
  return typeof where === "object" ? where : { room: where };
}

/** The address of a room, or of something in it, to be shared. */
export function addressOf(where: string | undefined | Target): URL {
  return at(pathTo(targetOf(where)));
}

/** The address of a room, or of something in it, in this page, which may be embedded. */
export function linkOf(where: string | undefined | Target): string {
  return at(base + pathTo(targetOf(where))).pathname;
}

const listeners = new Set<() => void>();
let here = read(location);

function arrive(): void {
  here = read(location);
  for (const listener of listeners) listener();
}
addEventListener("popstate", arrive);

/** Goes to a room, something in it, or the list. */
export function go(where: string | undefined | Target, how: "push" | "replace" = "push"): void {
  const url = linkOf(where);
  if (url === location.pathname) return;
  if (how === "push") history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  arrive();
}

export function usePlace(): Place {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => here,
  );
}
