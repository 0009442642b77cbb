// Where the others are in a text. In the place of y-codemirror's own, which writes what others call their colour into
// `style` attributes: the content policy refuses those, and a colour may be anything.
import { Annotation, type Extension, type Range, RangeSet } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  type EditorView,
  ViewPlugin,
  type ViewUpdate,
  WidgetType,
} from "@codemirror/view";
import type { Awareness } from "@stoa/client/documents";
import * as Y from "yjs";
import { colourFrom } from "./colours.ts";

const moved = Annotation.define<boolean>();

class Caret extends WidgetType {
  readonly #name: string;
  readonly #colour: string;

  constructor(name: string, colour: string) {
    super();
    this.#name = name;
    this.#colour = colour;
  }

  override eq(other: Caret): boolean {
    return other.#name === this.#name && other.#colour === this.#colour;
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement("span");
    caret.className = "caret";
    caret.style.borderColor = this.#colour;
    const name = caret.appendChild(document.createElement("span"));
    name.className = "caret-name";
    name.style.backgroundColor = this.#colour;
    name.textContent = this.#name;
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

/** Tells where one is, and shows where the others are. */
export function carets(text: Y.Text, awareness: Awareness): Extension {
  return ViewPlugin.define((view) => new Carets(view, text, awareness), { decorations: (value) => value.decorations });
}

class Carets {
  decorations: DecorationSet = RangeSet.empty;
  readonly #text: Y.Text;
  readonly #awareness: Awareness;
  readonly #hear: (change: Record<"added" | "updated" | "removed", number[]>) => void;

  constructor(view: EditorView, text: Y.Text, awareness: Awareness) {
    this.#text = text;
    this.#awareness = awareness;
    this.#hear = ({ added, updated, removed }) => {
      const isOthers = [...added, ...updated, ...removed].some((client) => client !== awareness.clientID);
      if (isOthers) view.dispatch({ annotations: moved.of(true) });
    };
    awareness.on("change", this.#hear);
    this.#show(view);
  }

  destroy(): void {
    this.#awareness.off("change", this.#hear);
  }

  update(update: ViewUpdate): void {
    if (update.selectionSet || update.docChanged || update.focusChanged) this.#tell(update.view);
    this.#show(update.view);
  }

  #tell(view: EditorView): void {
    const { anchor, head } = view.state.selection.main;
    const cursor = view.hasFocus ? { anchor: this.#place(anchor), head: this.#place(head) } : null;
    const before = this.#awareness.getLocalState()?.cursor ?? null;
    if (JSON.stringify(before) !== JSON.stringify(cursor)) this.#awareness.setLocalStateField("cursor", cursor);
  }

  #place(index: number): unknown {
    return Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(this.#text, index));
  }

  #index(place: unknown): number | undefined {
    const { doc } = this.#text;
    if (!doc || typeof place !== "object" || place === null) return undefined;
    try {
      const found = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(place), doc);
      return found?.type === this.#text ? found.index : undefined;
    } catch {
      // Whatever somebody else sent, it is no place in this text.
      return undefined;
    }
  }

  #show(view: EditorView): void {
    const ranges: Range<Decoration>[] = [];
    const { length } = view.state.doc;
    for (const [client, state] of this.#awareness.getStates()) {
      if (client === this.#awareness.clientID) continue;
      const cursor = state.cursor as { anchor?: unknown; head?: unknown } | null | undefined;
      const [anchor, head] = [this.#index(cursor?.anchor), this.#index(cursor?.head)];
      if (anchor === undefined || head === undefined || Math.max(anchor, head) > length) continue;
      const user = (state.user ?? {}) as { name?: unknown; color?: unknown; colorLight?: unknown };
      const light = colourFrom(user.colorLight, "#dddddd");
      const [from, to] = [Math.min(anchor, head), Math.max(anchor, head)];
      if (from < to) {
        const style = `background-color: color-mix(in srgb, ${light} 55%, transparent)`;
        ranges.push(Decoration.mark({ attributes: { style } }).range(from, to));
      }
      const widget = new Caret(typeof user.name === "string" ? user.name : "", colourFrom(user.color, "#555555"));
      ranges.push(Decoration.widget({ widget, side: head > anchor ? -1 : 1 }).range(head));
    }
    this.decorations = Decoration.set(ranges, true);
  }
}
