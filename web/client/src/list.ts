import type { RoomEntry, RoomId, Seq } from "./protocol.ts";

/** The user's rooms. Rows come by page and by single frames, which may overtake each other: the newer row stays. */
export class RoomList {
  #entries = new Map<RoomId, RoomEntry>();
  #sorted: readonly RoomEntry[] | undefined;
  /** Rooms heard of since the pages were asked for: not being in a page does not make them gone. */
  #heard = new Set<RoomId>();
  /** Where the reader is by this device's own word: a row that was written before is not shown as unread again. */
  readonly #reads = new Map<RoomId, Seq>();
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
    const read = Math.max(entry.read, this.#reads.get(room) ?? 0);
    const isNewer = !old || entry.head > old.head || (entry.head === old.head && read >= old.read);
    if (isNewer) this.#set(room, entry);
  }

  /** The whole list, as the server had it when it was asked. */
  restore(entries: readonly RoomEntry[]): void {
    const heard = new Map(
      [...this.#heard].flatMap((room) => this.#entries.get(room) ?? []).map((e) => [e.info.room, e]),
    );
    this.#entries = new Map(entries.map((entry) => [entry.info.room, this.#withRead(entry)]));
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
    this.#reads.set(room, Math.max(seq, this.#reads.get(room) ?? 0));
    const entry = this.#entries.get(room);
    if (entry) this.#set(room, entry);
  }

  /** The room's log began anew: its places mean something else. */
  forgetRead(room: RoomId): void {
    this.#reads.delete(room);
  }

  #set(room: RoomId, entry: RoomEntry): void {
    this.#entries.set(room, this.#withRead(entry));
    this.#sorted = undefined;
  }

  #withRead(entry: RoomEntry): RoomEntry {
    const seq = this.#reads.get(entry.info.room) ?? 0;
    if (seq <= entry.read) return entry;
    const isAll = seq >= (entry.last?.seq ?? 0);
    return { ...entry, read: seq, ...(isAll ? { unread: 0, mentions: 0 } : {}) };
  }
}

function freshness(entry: RoomEntry): number {
  return entry.last?.at ?? entry.info.created_at;
}
