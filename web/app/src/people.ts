// Who is in a room. Rooms up to 200 people are told whole; larger ones are read page by page.
import type { Member, Presence, Profile, Role, RoomState } from "@stoa/client";
import { useEffect, useMemo, useRef, useState } from "react";
import { useClient, useProfiles } from "./hooks.ts";

export interface Person {
  user: string;
  profile: Profile;
  role: Role | undefined;
  isMuted: boolean;
  presence: Presence | undefined;
}

const PAGE = 200;
/** Who is there changes all the time in a large room: it is read anew this often at most. */
const AGAIN_MS = 15_000;
const MOST_PAGES = 50;

export interface People {
  people: readonly Person[];
  /** Whether there are members who have not been read. */
  more: boolean;
  loadMore: () => void;
}

export function usePeople(state: RoomState): People {
  const nameOf = useProfiles();
  const isLarge = state.memberCount > PAGE;
  const paged = usePages(state.room, isLarge, state.online);
  const members = isLarge ? paged.members : state.members;
  const presence = isLarge ? paged.presence : state.presence;
  const people = useMemo(() => {
    const rows = new Map(members.map((member) => [member.user, member]));
    // An audience is here without being members; members are listed without being here.
    const users = new Set([...rows.keys(), ...[...presence.values()].filter(isThere).map((each) => each.user)]);
    const now = Date.now();
    return [...users]
      .map((user): Person => {
        const member = rows.get(user);
        const isMuted = (member?.muted_until ?? 0) > now;
        return { user, profile: nameOf(user), role: member?.role, isMuted, presence: presence.get(user) };
      })
      .sort((a, b) => order.compare(a.profile.name, b.profile.name) || (a.user < b.user ? -1 : 1));
  }, [members, presence, nameOf]);
  return { people, more: isLarge && paged.more, loadMore: paged.loadMore };
}

// Making one for each comparison is what makes sorting a few hundred names slow.
const order = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

export function isThere(presence: Presence | undefined): boolean {
  return presence !== undefined && presence.state !== "offline";
}

function usePages(room: string, isLarge: boolean, online: number) {
  const client = useClient();
  const [members, setMembers] = useState<readonly Member[]>([]);
  const [presence, setPresence] = useState<ReadonlyMap<string, Presence>>(new Map());
  const [pages, setPages] = useState(1);
  const [more, setMore] = useState(false);
  const readAt = useRef(0);

  useEffect(() => {
    if (!isLarge) return;
    let isGone = false;
    const read = async () => {
      const all: Member[] = [];
      let isMore = true;
      for (let page = 0; page < pages && isMore; page += 1) {
        const reply = await client.query({ type: "member.list", room, after: all.at(-1)?.user, limit: PAGE });
        if (isGone || reply.kind !== "members") return;
        all.push(...reply.members);
        isMore = reply.more;
      }
      setMembers(all);
      setMore(isMore && pages < MOST_PAGES);
    };
    read().catch(() => {});
    return () => {
      isGone = true;
    };
  }, [client, room, isLarge, pages]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the count is what tells that somebody came or went
  useEffect(() => {
    if (!isLarge) return;
    let isGone = false;
    const read = async () => {
      readAt.current = Date.now();
      const all: Presence[] = [];
      for (let page = 0; page < pages; page += 1) {
        const reply = await client.query({ type: "presence.list", room, after: all.at(-1)?.user, limit: PAGE });
        if (isGone || reply.kind !== "presences") return;
        all.push(...reply.presence);
        if (!reply.more) break;
      }
      setPresence(new Map(all.map((each) => [each.user, each])));
    };
    const handle = setTimeout(() => void read().catch(() => {}), Math.max(0, readAt.current + AGAIN_MS - Date.now()));
    return () => {
      isGone = true;
      clearTimeout(handle);
    };
  }, [client, room, isLarge, pages, online]);

  const loadMore = useMemo(() => () => setPages((count) => count + 1), []);
  return { members, presence, more, loadMore };
}
