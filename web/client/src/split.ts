// Cuts a Yjs update into several that the server takes one after the other.
//
// Invariant: whoever has what an update builds on can integrate each of its pieces whole, when they come in order; all
// pieces together say what the update says.
import { createEncoder, toUint8Array, writeUint8Array, writeVarUint } from "lib0/encoding";
import * as Y from "yjs";

/** Structs and deleted ranges of one piece: the server bounds the work of one update (`docs/protocol.md`). */
const MOST_PARTS = 20_000;
/** Yjs client ids of one piece: each reload while offline has one of its own. */
const MOST_CLIENTS = 8;
/** What a section costs beside its structs, and a deleted range, bytes at most. */
const SECTION_BYTES = 24;
const RANGE_BYTES = 12;

type Struct = Y.Item | Y.GC | Y.Skip;

/** An update as pieces of `most` bytes. Only what cannot be cut, a single large value, makes a larger piece. */
export function split(update: Uint8Array, most: number): Uint8Array[] {
  const { structs, ds } = Y.decodeUpdate(update);
  const pieces = [new Piece(most)];
  const last = () => pieces.at(-1) as Piece;
  for (const struct of inOrder(structs)) {
    for (const cut of cuts(struct, most)) {
      if (!last().hasRoomFor(cut)) pieces.push(new Piece(most));
      last().add(cut);
    }
  }
  // Behind everything that they may be about.
  for (const [client, ranges] of ds.clients) {
    for (const { clock, len } of ranges) {
      if (!last().hasRoomForRange(client)) pieces.push(new Piece(most));
      last().remove(client, clock, len);
    }
  }
  return pieces.length === 1 && update.length <= most ? [update] : pieces.map((piece) => piece.encode());
}

/** Structs of one client one after the other, and each behind those that it refers to. */
function* inOrder(structs: readonly Struct[]): Generator<Struct> {
  const queues = new Map<number, { structs: Struct[]; at: number }>();
  for (const struct of structs) {
    const queue = queues.get(struct.id.client);
    if (queue) queue.structs.push(struct);
    else queues.set(struct.id.client, { structs: [struct], at: 0 });
  }
  const next = (client: number) => {
    const queue = queues.get(client);
    return queue?.structs[queue.at];
  };
  const isToCome = ({ client, clock }: Y.ID) => {
    const [first, end] = [next(client), queues.get(client)?.structs.at(-1)];
    return first !== undefined && end !== undefined && clock >= first.id.clock && clock < end.id.clock + end.length;
  };
  for (const client of queues.keys()) {
    const stack = [{ client, upTo: Number.POSITIVE_INFINITY }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const struct = next(top.client);
      if (!struct || struct.id.clock > top.upTo) {
        stack.pop();
        continue;
      }
      // A ring of references is nobody's honest work: what is being looked at is not waited for.
      const needed = references(struct).find((id) => isToCome(id) && stack.every((each) => each.client !== id.client));
      if (needed) {
        stack.push({ client: needed.client, upTo: needed.clock });
        continue;
      }
      yield struct;
      (queues.get(top.client) as { at: number }).at += 1;
    }
  }
}

function references(struct: Struct): Y.ID[] {
  if (!(struct instanceof Y.Item)) return [];
  const { origin, rightOrigin, parent } = struct;
  return [origin, rightOrigin, parent].filter((id): id is Y.ID => id instanceof Y.ID);
}

/** Clocks of one client, as they are encoded. */
interface Cut {
  client: number;
  clock: number;
  length: number;
  bytes: Uint8Array;
}

/** A struct as cuts that fit, as far as it can be cut: a long text, a long list. */
function* cuts(struct: Struct, most: number): Generator<Cut> {
  const encoder = new Y.UpdateEncoderV1();
  struct.write(encoder, 0);
  const bytes = encoder.toUint8Array();
  const { client, clock } = struct.id;
  const at = struct instanceof Y.Item && bytes.length + SECTION_BYTES > most ? middleOf(struct.content) : 0;
  if (!(struct instanceof Y.Item) || at === 0) return yield { client, clock, length: struct.length, bytes };
  const { origin, rightOrigin, parent, parentSub, content } = struct;
  const rest = content.splice(at);
  yield* cuts(new Y.Item(struct.id, null, origin, null, rightOrigin, parent, parentSub, content), most);
  // As Yjs cuts it: what is right of a cut has what is left of it as its origin, and so its parent.
  const left = Y.createID(client, clock + at - 1);
  const right = Y.createID(client, clock + at);
  yield* cuts(new Y.Item(right, null, left, null, rightOrigin, null, null, rest), most);
}

/** Where a content can be cut; 0 is nowhere. */
function middleOf(content: Y.Item["content"]): number {
  const at = content.getLength() >> 1;
  if (!(content instanceof Y.ContentString)) return at;
  const before = content.str.charCodeAt(at - 1);
  // Not between the halves of a surrogate pair: Yjs would replace both.
  return before >= 0xd800 && before <= 0xdbff ? at - 1 : at;
}

interface Section {
  clock: number;
  end: number;
  cuts: Uint8Array[];
}

class Piece {
  readonly #most: number;
  readonly #sections = new Map<number, Section>();
  readonly #removed = new Map<number, [clock: number, length: number][]>();
  #bytes = 0;
  #parts = 0;

  constructor(most: number) {
    this.#most = most;
  }

  hasRoomFor({ client, clock, bytes }: Cut): boolean {
    const section = this.#sections.get(client);
    if (section ? section.end !== clock : this.#sections.size >= MOST_CLIENTS) return false;
    return this.#hasRoom(bytes.length + SECTION_BYTES);
  }

  add({ client, clock, length, bytes }: Cut): void {
    const section = this.#sections.get(client) ?? { clock, end: clock, cuts: [] };
    this.#sections.set(client, section);
    section.end += length;
    section.cuts.push(bytes);
    this.#bytes += bytes.length + (section.cuts.length === 1 ? SECTION_BYTES : 0);
    this.#parts += 1;
  }

  hasRoomForRange(client: number): boolean {
    return this.#hasRoom(RANGE_BYTES + (this.#removed.has(client) ? 0 : SECTION_BYTES));
  }

  remove(client: number, clock: number, length: number): void {
    const ranges = this.#removed.get(client) ?? [];
    this.#bytes += RANGE_BYTES + (ranges.length === 0 ? SECTION_BYTES : 0);
    this.#parts += 1;
    this.#removed.set(client, ranges);
    ranges.push([clock, length]);
  }

  encode(): Uint8Array {
    const encoder = createEncoder();
    writeVarUint(encoder, this.#sections.size);
    for (const [client, { clock, cuts: each }] of this.#sections) {
      writeVarUint(encoder, each.length);
      writeVarUint(encoder, client);
      writeVarUint(encoder, clock);
      for (const bytes of each) writeUint8Array(encoder, bytes);
    }
    writeVarUint(encoder, this.#removed.size);
    for (const [client, ranges] of this.#removed) {
      writeVarUint(encoder, client);
      writeVarUint(encoder, ranges.length);
      for (const [clock, length] of ranges) {
        writeVarUint(encoder, clock);
        writeVarUint(encoder, length);
      }
    }
    return toUint8Array(encoder);
  }

  /** Whatever is added first has room: it cannot be made smaller. */
  #hasRoom(bytes: number): boolean {
    return this.#parts === 0 || (this.#bytes + bytes <= this.#most && this.#parts < MOST_PARTS);
  }
}
