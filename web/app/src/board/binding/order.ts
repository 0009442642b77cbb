// Which shape lies above which: every shape has a fractional index, a text between those of its neighbours.
import { generateKeyBetween, generateNKeysBetween } from "fractional-indexing";

/** Longer ones are nobody's honest work. */
const LONGEST = 256;
/**
 * Two people who draw at the same time take an index between the same neighbours. Each halves the room that is left
 * this often by chance, so that they differ.
 */
const HALVINGS = 20;

function isLegal(index: string): boolean {
  if (index.length === 0 || index.length > LONGEST) return false;
  try {
    generateKeyBetween(index, null);
    return true;
  } catch {
    return false;
  }
}

/** Indices for `count` shapes between two neighbours, differing from what anybody else takes there. */
export function indicesBetween(
  lower: string | null,
  upper: string | null,
  count: number,
  random: () => number,
): string[] {
  const plain = generateNKeysBetween(lower, upper, count);
  return plain.map((start, place) => {
    let [low, high] = [start, plain[place + 1] ?? upper ?? generateKeyBetween(start, null)];
    for (let round = 0; round < HALVINGS; round += 1) {
      const middle = generateKeyBetween(low, high);
      if (random() < 0.5) low = middle;
      else high = middle;
    }
    return low;
  });
}

interface Place {
  id: string;
  index: string;
}

/**
 * All shapes from the lowest to the highest. What is kept may hold one index twice (two replicas that met) or an
 * illegal one; such a shape is shown under another index, which follows from what is kept alone, so that every
 * replica shows the same.
 */
export class Order {
  readonly #kept = new Map<string, string>();
  #places: Place[] = [];
  #repaired = new Map<string, string>();
  #isStale = false;

  /** From the lowest to the highest, no index twice. Not to be changed. */
  get places(): readonly Place[] {
    if (this.#isStale) this.#sort();
    return this.#places;
  }

  /** The indices that differ from what is kept, by shape. */
  get repaired(): ReadonlyMap<string, string> {
    if (this.#isStale) this.#sort();
    return this.#repaired;
  }

  /** Where a shape is shown. */
  indexOf(id: string): string | undefined {
    return this.repaired.get(id) ?? this.#kept.get(id);
  }

  /** What the document holds. */
  keptIndexOf(id: string): string | undefined {
    return this.#kept.get(id);
  }

  /** The answer tells whether anything changed. */
  set(id: string, index: string | undefined): boolean {
    const kept = index ?? "";
    if (this.#kept.get(id) === kept) return false;
    this.delete(id);
    this.#kept.set(id, kept);
    if (this.#isStale) return true;
    const at = this.#search(kept);
    if (this.#repaired.size > 0 || !isLegal(kept) || this.#places[at]?.index === kept) this.#isStale = true;
    else this.#places.splice(at, 0, { id, index: kept });
    return true;
  }

  delete(id: string): boolean {
    const kept = this.#kept.get(id);
    if (kept === undefined) return false;
    this.#kept.delete(id);
    if (this.#isStale) return true;
    if (this.#repaired.size > 0) this.#isStale = true;
    else this.#places.splice(this.#search(kept), 1);
    return true;
  }

  /** The lowest index above this one. */
  above(index: string | null, skip: (id: string) => boolean): string | null {
    const { places } = this;
    for (let at = index === null ? 0 : this.#search(index); at < places.length; at += 1) {
      const place = places[at] as Place;
      if ((index === null || place.index > index) && !skip(place.id)) return place.index;
    }
    return null;
  }

  /** Where this index is, or would be. */
  #search(index: string): number {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#places[middle] as Place).index < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #sort(): void {
    const legal: Place[] = [];
    const illegal: Place[] = [];
    for (const [id, index] of this.#kept) (isLegal(index) ? legal : illegal).push({ id, index });
    const byId = (a: Place, b: Place) => (a.id < b.id ? -1 : 1);
    legal.sort((a, b) => (a.index === b.index ? byId(a, b) : a.index < b.index ? -1 : 1));
    illegal.sort(byId);
    this.#repaired = new Map();
    const places: Place[] = [];
    let waiting: Place[] = [];
    let last: string | null = null;
    const settle = (upper: string | null) => {
      const keys: string[] = generateNKeysBetween(last, upper, waiting.length);
      for (const [at, { id }] of waiting.entries()) {
        const index = keys[at] as string;
        this.#repaired.set(id, index);
        places.push({ id, index });
      }
      last = keys.at(-1) ?? last;
      waiting = [];
    };
    for (const place of legal) {
      if (last !== null && place.index === last) {
        waiting.push(place);
        continue;
      }
      settle(place.index);
      places.push(place);
      last = place.index;
    }
    waiting.push(...illegal);
    settle(null);
    this.#places = places;
    this.#isStale = false;
  }
}
