// Where this page is: below which path the server lives, and which room the address names.
import { useSyncExternalStore } from "react";

// The script is at `{root}/assets/`, whatever prefix a proxy has put before it.
const above = import.meta.env.DEV ? "/" : "..";

/** The server's own root, with its path prefix and a slash at the end. */
export const root = new URL(above, import.meta.url);

/** The address of something of the server's: `v1/ws`, `r/lobby`. */
export function at(path: string): URL {
  return new URL(path, root);
}

export interface Place {
  /** The room that the address names. */
  room?: string;
}

const ROOM = /^r\/([A-Za-z0-9._~-]{1,128})(?:\/|$)/;
/** Pages of other sites show the same addresses below this. */
const EMBEDDED = "embed/";

function pathOf(url: { pathname: string }): string {
  return url.pathname.startsWith(root.pathname) ? url.pathname.slice(root.pathname.length) : "";
}

const base = pathOf(location).startsWith(EMBEDDED) ? EMBEDDED : "";

/** Reads an address. Everything that is no room is the list of rooms. */
export function read(url: { pathname: string }): Place {
  const path = pathOf(url);
  const room = ROOM.exec(path.startsWith(base) ? path.slice(base.length) : path)?.[1];
  return room === undefined ? {} : { room };
}

/** The address of a room, to be shared. */
export function addressOf(room: string | undefined): URL {
  return at(room === undefined ? "" : `r/${room}`);
}

/** The address of a room in this page, which may be embedded. */
export function linkOf(room: string | undefined): string {
  return at(room === undefined ? base : `${base}r/${room}`).pathname;
}

const listeners = new Set<() => void>();
let here = read(location);

function arrive(): void {
  here = read(location);
  for (const listener of listeners) listener();
}
addEventListener("popstate", arrive);

/** Goes to a room, or to the list. */
export function go(room: string | undefined, how: "push" | "replace" = "push"): void {
  const url = linkOf(room);
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
