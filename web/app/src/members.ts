// Everybody in a large room. Rooms up to 200 members are told whole; of larger ones the members are read when somebody
// looks for one of them.
import type { Client, RoomState } from "@stoa/client";
import { useEffect, useState } from "react";
import { useClient } from "./hooks.ts";

const PAGE = 200;
/** Ten thousand members; of a room with more, those who spoke are found too. */
const MOST_PAGES = 50;
/** Who came since is found after this. */
const KEPT_MS = 60_000;

interface Read {
  at: number;
  users: Promise<readonly string[]>;
}

const known = new WeakMap<Client, Map<string, Read>>();

/** Members of a room that does not list them, from the moment that they are wanted; before, nobody. */
export function useEverybody({ room, memberCount, members }: RoomState, isWanted: boolean): readonly string[] {
  const client = useClient();
  const [users, setUsers] = useState<readonly string[]>(NOBODY);
  const isLarge = memberCount > members.length && memberCount > PAGE;
  useEffect(() => {
    if (!isLarge || !isWanted) return;
    let isGone = false;
    read(client, room).then(
      (all) => !isGone && setUsers(all),
      () => {},
    );
    return () => {
      isGone = true;
    };
  }, [client, room, isLarge, isWanted]);
  return isLarge ? users : NOBODY;
}

const NOBODY: readonly string[] = [];

function read(client: Client, room: string): Promise<readonly string[]> {
  const rooms = known.get(client) ?? new Map<string, Read>();
  known.set(client, rooms);
  const before = rooms.get(room);
  if (before && Date.now() - before.at < KEPT_MS) return before.users;
  const users = readAll(client, room);
  rooms.set(room, { at: Date.now(), users });
  users.catch(() => rooms.delete(room));
  return users;
}

async function readAll(client: Client, room: string): Promise<readonly string[]> {
  const all: string[] = [];
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const reply = await client.query({ type: "member.list", room, after: all.at(-1), limit: PAGE });
    if (reply.kind !== "members") break;
    all.push(...reply.members.map(({ user }) => user));
    if (!reply.more) break;
  }
  return all;
}
