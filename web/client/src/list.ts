import type { RoomEntry, RoomId, Seq } from "./protocol.ts";

/** The user's rooms. Rows come by page and by single frames, which may overtake each other: the newer row stays. */
export class RoomList {
  #entries = new Map<RoomId, RoomEntry>();
  #sorted: readonly RoomEntry[] | undefined;
  /** Rooms heard of since the pages were asked for: not being in a page does not make them gone. */
  #heard = new Set<RoomId>();
  isComplete = false;

  /** The room with the newest message first. */
  get entries(): readonly RoomEntry[] {
    this.#sorted ??= [...this.#entries.values()].sort(
      (a, b) => freshness(b) - freshness(a) || (a.info.room < b.info.room ? -1 : 1),
    );
    return this.#sorted;
  }

  get(room: RoomId): RoomEntry | undefined {
    return this.#entries.get(room);
  }

  begin(): void {
    this.#heard.clear();
    this.isComplete = false;
  }

  put(entry: RoomEntry): void {
    const { room } = entry.info;
    this.#heard.add(room);
    const old = this.#entries.get(room);
    const isNewer = !old || entry.head > old.head || (entry.head === old.head && entry.read >= old.read);
    if (isNewer) this.#set(room, entry);
  }

  /** The whole list, as the server had it when it was asked. */
  restore(entries: readonly RoomEntry[]): void {
    const heard = new Map(
      [...this.#heard].flatMap((room) => this.#entries.get(room) ?? []).map((e) => [e.info.room, e]),
    );
    this.#entries = new Map(entries.map((entry) => [entry.info.room, entry]));
    this.#sorted = undefined;
    for (const entry of heard.values()) this.put(entry);
    this.isComplete = true;
  }

  remove(room: RoomId): void {
    this.#entries.delete(room);
    this.#heard.delete(room);
    this.#sorted = undefined;
  }

  /** The reader's marker moved on this device; the server's row follows. */
  read(room: RoomId, seq: Seq): void {
    const entry = this.#entries.get(room);
    if (!entry || seq <= entry.read) return;
    const isAll = seq >= (entry.last?.seq ?? 0);
    this.#set(room, { ...entry, read: seq, ...(isAll ? { unread: 0, mentions: 0 } : {}) });
  }

  #set(room: RoomId, entry: RoomEntry): void {
    this.#entries.set(room, entry);
    this.#sorted = undefined;
  }
}

function freshness(entry: RoomEntry): number {
  return entry.last?.at ?? entry.info.created_at;
}
