import type { RoomEntry } from "@stoa/client";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useClient, useClientState, useNow, useProfiles, useRooms } from "./hooks.ts";
import { ChevronIcon, Logo, PlusIcon, SearchIcon } from "./icons.tsx";
import { RoomRow } from "./RoomRow.tsx";
import { Self } from "./Self.tsx";
import { showDialog } from "./told.ts";
import { useWords } from "./words/index.ts";

interface Props {
  current: string | undefined;
  onLogOut: (() => void) | undefined;
}

export function Sidebar({ current, onLogOut }: Props) {
  const words = useWords();
  const rooms = useRooms();
  const { mayCreate } = useClientState();
  const client = useClient();
  const nameOf = useProfiles();
  const [filter, setFilter] = useState("");
  const field = useFilterKey();
  const titleOf = (entry: RoomEntry) =>
    entry.peer === undefined ? entry.info.title || entry.info.room : nameOf(entry.peer).name;
  const wanted = filter.trim().toLocaleLowerCase();
  const shown = wanted ? rooms.filter((entry) => titleOf(entry).toLocaleLowerCase().includes(wanted)) : rooms;

  return (
    <aside className="sidebar" aria-label={words.rooms}>
      <header className="sidebar-head">
        <Logo />
        <h1>Stoa</h1>
        {mayCreate && (
          <button
            type="button"
            className="icon-button"
            title={words.createRoom}
            onClick={() => showDialog({ kind: "create" })}
          >
            <PlusIcon />
            <span className="hidden">{words.createRoom}</span>
          </button>
        )}
      </header>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the links are what is acted on; this hears for all of them */}
      <div className="sidebar-list" onKeyDown={moveFocus}>
        <label className="filter">
          <SearchIcon />
          <span className="hidden">{words.filterRooms}</span>
          <input
            ref={field}
            type="search"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
            placeholder={words.filterRooms}
            dir="auto"
          />
        </label>
        <nav className="rooms" aria-label={words.rooms}>
          <Rows entries={shown.filter(({ peer }) => peer === undefined)} current={current} titleOf={titleOf} />
          <Rows
            title={words.direct}
            entries={shown.filter(({ peer }) => peer !== undefined)}
            current={current}
            titleOf={titleOf}
          />
          {!wanted && <Archived current={current} titleOf={titleOf} />}
          {rooms.length === 0 && client.hasRooms && (
            <div className="rooms-empty">
              <strong>{words.noRooms}</strong>
              <p className="muted">{words.noRoomsWhy}</p>
            </div>
          )}
          {rooms.length > 0 && shown.length === 0 && <p className="rooms-empty muted">{words.noRoomFound}</p>}
        </nav>
      </div>
      <Self onLogOut={onLogOut} />
    </aside>
  );
}

interface RowsProps {
  title?: string;
  entries: readonly RoomEntry[];
  current: string | undefined;
  titleOf: (entry: RoomEntry) => string;
}

function Rows({ title, entries, current, titleOf }: RowsProps) {
  const nameOf = useProfiles();
  const now = useNow(60_000);
  if (entries.length === 0) return null;
  return (
    <>
      {title !== undefined && <h2 className="rooms-title">{title}</h2>}
      <ul>
        {entries.map((entry) => (
          <li key={entry.info.room}>
            <RoomRow
              entry={entry}
              isCurrent={entry.info.room === current}
              title={titleOf(entry)}
              author={entry.last?.from === undefined ? "" : nameOf(entry.last.from).name}
              now={now}
            />
          </li>
        ))}
      </ul>
    </>
  );
}

const PAGE = 100;

/** Rooms that are read only. They are asked for when somebody wants them. */
function Archived({ current, titleOf }: Pick<RowsProps, "current" | "titleOf">) {
  const words = useWords();
  const client = useClient();
  const rooms = useRooms();
  const [isOpen, setOpen] = useState(false);
  const [entries, setEntries] = useState<readonly RoomEntry[]>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a room that goes into the archive leaves the list
  useEffect(() => {
    if (!isOpen) return;
    let isGone = false;
    client.query({ type: "room.list", archived: true, limit: PAGE }).then(
      (reply) => {
        if (!isGone && reply.kind === "rooms") setEntries(reply.rooms.filter(({ info }) => info.archived));
      },
      () => {},
    );
    return () => {
      isGone = true;
    };
  }, [client, isOpen, rooms.length]);
  return (
    <>
      <button type="button" className="rooms-title fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <ChevronIcon />
        {words.archivedRooms}
      </button>
      {isOpen && entries && <Rows entries={entries} current={current} titleOf={titleOf} />}
      {isOpen && entries?.length === 0 && <p className="rooms-empty muted">{words.noneArchived}</p>}
    </>
  );
}

/** Ctrl+K, or Command+K, is where people look for it. */
function useFilterKey() {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey)
        return;
      if (!field.current?.offsetParent) return;
      event.preventDefault();
      field.current.focus();
      field.current.select();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return field;
}

/** Arrow keys go from the filter to the rooms and from room to room. */
function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const stops = [...event.currentTarget.querySelectorAll<HTMLElement>("input, .room-row")];
  const at = stops.indexOf(event.target as HTMLElement);
  if (at < 0) return;
  const isField = at === 0;
  if (isField && event.key === "Enter") {
    event.preventDefault();
    stops[1]?.click();
    return;
  }
  const target = {
    ArrowDown: stops[at + 1],
    ArrowUp: stops[at - 1],
    Home: isField ? undefined : stops[1],
    End: isField ? undefined : stops.at(-1),
  }[event.key];
  if (!target) return;
  event.preventDefault();
  target.focus();
}
