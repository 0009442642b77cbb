// One person at a board: carries what they do from the drawing component to the document and back.
import { CaptureUpdateAction, zoomToFitBounds } from "@excalidraw/excalidraw";
import type {
  AppState,
  BinaryFiles,
  Collaborator,
  ExcalidrawImperativeAPI,
  SocketId,
} from "@excalidraw/excalidraw/types";
import type { SharedDocument } from "@stoa/client/documents";
import { BoardBinding } from "./binding/binding.ts";
import type { SceneElement } from "./binding/codec.ts";
import { Images } from "./images.ts";
import { type Bounds, fit, type Other, othersOf, type Pointer, selectionOf } from "./presence.ts";

/** Changes outside of a gesture (a slider, a nudge by the keyboard) are one edit when they follow each other so closely. */
const QUIET_MS = 200;
/** An own preview that is finished stays so long at most for the others, until what it became is saved. */
const PREVIEW_MS = 3_000;

export interface SittingEvents {
  /** Whether there is something to undo or redo. */
  history(canUndo: boolean, canRedo: boolean): void;
  imageFailed(why: string): void;
  /** How many shapes the document holds. */
  shapes(count: number): void;
}

type Scene = Parameters<ExcalidrawImperativeAPI["updateScene"]>[0]["elements"];

export class Sitting {
  readonly #document: SharedDocument;
  readonly #api: ExcalidrawImperativeAPI;
  readonly #events: SittingEvents;
  readonly #images: Images;
  readonly #stops: (() => void)[] = [];
  #binding: BoardBinding;
  #stopAwareness = () => {};
  #mayEdit = false;
  /** The right was taken away in the middle of the gesture that goes on. */
  #wasCut = false;
  #isInGesture = false;
  #inHand: string[] = [];
  #frame = 0;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #unseen: ReturnType<typeof setTimeout> | undefined;
  #hasPreview = false;
  #following: string | undefined;
  #isFresh = true;
  #others: Other[] = [];

  constructor(document: SharedDocument, api: ExcalidrawImperativeAPI, events: SittingEvents) {
    this.#document = document;
    this.#api = api;
    this.#events = events;
    this.#images = new Images(document, api, (why) => events.imageFailed(why));
    this.#binding = this.#bind();
    const end = () => this.#commit();
    addEventListener("pagehide", end);
    this.#stops.push(
      document.on("doc", () => this.#rebind()),
      document.on("saved", () => this.#forgetPreview()),
      () => removeEventListener("pagehide", end),
    );
    this.#schedule();
  }

  get binding(): BoardBinding {
    return this.#binding;
  }

  /** What the drawing component shows was changed, by this user or by `updateScene`. */
  changed(elements: readonly SceneElement[], state: AppState, files: BinaryFiles): void {
    this.#inHand = inHand(state);
    const hasChanges = this.#binding.look(elements, this.#inHand);
    const isInGesture = this.#inHand.length > 0 || hasHold(state);
    if (isInGesture) {
      this.#isInGesture = true;
      clearTimeout(this.#quiet);
      if (hasChanges) this.#tellPreview(elements);
    } else if (this.#isInGesture) {
      this.#isInGesture = false;
      this.#commit();
      this.#wasCut = false;
    } else if (hasChanges) {
      clearTimeout(this.#quiet);
      this.#quiet = setTimeout(() => this.#commit(), QUIET_MS);
    }
    this.#images.look(elements, files, this.#mayEdit);
    this.#tell("selected", selectionOf(state.selectedElementIds));
    this.#tellView(state);
  }

  pointed(pointer: Pointer, button: "up" | "down"): void {
    const { x, y, tool } = pointer;
    this.#tell("pointer", { x: Math.round(x * 10) / 10, y: Math.round(y * 10) / 10, tool });
    this.#tell("button", button);
  }

  /** The pointer has left the board. */
  left(): void {
    this.#tell("pointer", undefined);
  }

  /**
   * What is under way when the right goes is sent all the same: the server refuses it, and so it is set aside for its
   * author instead of vanishing.
   */
  setMayEdit(mayEdit: boolean): void {
    const isLost = this.#mayEdit && !mayEdit;
    if (isLost) this.#commit();
    this.#mayEdit = mayEdit;
    this.#wasCut = isLost && this.#isInGesture;
  }

  /** Looks where somebody looks, until told otherwise. */
  follow(client: string | undefined): void {
    this.#following = client;
    this.#showView();
  }

  undo(): void {
    this.#commit();
    this.#binding.undo();
    this.#show();
  }

  redo(): void {
    this.#commit();
    this.#binding.redo();
    this.#show();
  }

  end(): void {
    this.#commit();
    clearTimeout(this.#quiet);
    clearTimeout(this.#unseen);
    cancelAnimationFrame(this.#frame);
    for (const stop of this.#stops) stop();
    this.#stopAwareness();
    this.#images.end();
    this.#binding.destroy();
    for (const name of ["pointer", "selected", "preview", "view"]) this.#tell(name, undefined);
  }

  #bind(): BoardBinding {
    const { doc, awareness } = this.#document;
    const binding = new BoardBinding(doc);
    binding.onChange(() => this.#schedule());
    const told = () => this.#events.history(binding.undoManager.canUndo(), binding.undoManager.canRedo());
    for (const event of ["stack-item-added", "stack-item-popped", "stack-cleared"] as const) {
      binding.undoManager.on(event, told);
    }
    told();
    const moved = () => this.#schedule();
    awareness.on("change", moved);
    this.#stopAwareness = () => awareness.off("change", moved);
    return binding;
  }

  /** The replica was built anew: what is shown is taken from it alone. */
  #rebind(): void {
    clearTimeout(this.#quiet);
    this.#stopAwareness();
    this.#binding.destroy();
    this.#hasPreview = false;
    this.#binding = this.#bind();
    this.#isFresh = true;
    this.#images.rebind();
    this.#schedule();
  }

  /** At most once per frame, however much comes. */
  #schedule(): void {
    if (this.#frame !== 0) return;
    const run = () => {
      this.#frame = 0;
      this.#show();
    };
    // A tab that nobody looks at gets no frames, and would gather everything until it is looked at.
    this.#frame = document.visibilityState === "visible" ? requestAnimationFrame(run) : window.setTimeout(run, 250);
  }

  #show(): void {
    const { others, previews } = othersOf(this.#document.awareness);
    this.#others = others;
    this.#binding.setPreviews(previews);
    const now = this.#isFresh ? [] : (this.#api.getSceneElementsIncludingDeleted() as readonly SceneElement[]);
    this.#isFresh = false;
    const merged = this.#binding.merge(now, this.#inHand);
    this.#api.updateScene({
      collaborators: collaboratorsOf(others),
      ...(merged && { elements: merged as unknown as Scene, captureUpdate: CaptureUpdateAction.NEVER }),
    });
    if (merged) this.#images.fetchMissing(merged);
    this.#events.shapes(this.#binding.size);
    this.#showView();
  }

  #commit(): void {
    clearTimeout(this.#quiet);
    const scene = this.#api.getSceneElementsIncludingDeleted() as readonly SceneElement[];
    // What a viewer's component changed all the same is not written, and the next merge sets it right.
    const written = this.#mayEdit || this.#wasCut ? this.#binding.commit(scene) : 0;
    if (written > 0) this.#show();
    if (!this.#hasPreview) return;
    if (written === 0) this.#forgetPreview();
    else this.#unseen = setTimeout(() => this.#forgetPreview(), PREVIEW_MS);
  }

  #tellPreview(elements: readonly SceneElement[]): void {
    if (!this.#mayEdit) return;
    clearTimeout(this.#unseen);
    const preview = this.#binding.preview(elements);
    if (!preview && !this.#hasPreview) return;
    this.#hasPreview = preview !== undefined;
    this.#tell("preview", preview && fit(preview));
  }

  #forgetPreview(): void {
    if (!this.#hasPreview || this.#isInGesture) return;
    clearTimeout(this.#unseen);
    this.#hasPreview = false;
    this.#tell("preview", undefined);
  }

  /** Says something of oneself, if it is new. */
  #tell(name: string, value: unknown): void {
    const { awareness } = this.#document;
    const state = awareness.getLocalState();
    if (JSON.stringify(state?.[name]) === JSON.stringify(value)) return;
    const next = { ...state, [name]: value };
    awareness.setLocalState(Object.fromEntries(Object.entries(next).filter(([, each]) => each !== undefined)));
  }

  #tellView({ scrollX, scrollY, zoom, width, height }: AppState): void {
    const [left, top] = [-scrollX, -scrollY];
    const view = [left, top, left + width / zoom.value, top + height / zoom.value].map(Math.round);
    this.#tell("view", view);
  }

  #showView(): void {
    const view = this.#others.find(({ client }) => String(client) === this.#following)?.view;
    if (!view) return;
    const bounds: [number, number, number, number] = [...view];
    if (bounds[2] - bounds[0] < 1 || bounds[3] - bounds[1] < 1) return;
    const appState = this.#api.getAppState();
    if (sameView(appState, bounds)) return;
    const fitted = zoomToFitBounds({ appState, bounds, fitToViewport: true, viewportZoomFactor: 1 }).appState;
    this.#api.updateScene({ appState: { scrollX: fitted.scrollX, scrollY: fitted.scrollY, zoom: fitted.zoom } });
  }
}

let lastFitted: { bounds: Bounds; scrollX: number; scrollY: number } | undefined;

/** Whether this was fitted already: fitting it again would draw the board again, without end. */
function sameView({ scrollX, scrollY }: AppState, bounds: Bounds): boolean {
  const isSame =
    lastFitted?.bounds.every((edge, at) => edge === bounds[at]) === true &&
    lastFitted.scrollX === scrollX &&
    lastFitted.scrollY === scrollY;
  lastFitted = { bounds, scrollX, scrollY };
  return isSame;
}

/** Shapes that the user is drawing, writing or pulling at. */
function inHand(state: AppState): string[] {
  const { newElement, multiElement, resizingElement, editingTextElement, editingLinearElement, croppingElementId } =
    state;
  const shapes = [newElement, multiElement, resizingElement, editingTextElement];
  const ids = shapes.flatMap((shape) => (shape ? [shape.id] : []));
  if (editingLinearElement) ids.push(editingLinearElement.elementId);
  if (croppingElementId) ids.push(croppingElementId);
  return ids;
}

/** Whether the user holds something, without our knowing which shapes. */
function hasHold({ cursorButton, isResizing, isRotating, selectedElementsAreBeingDragged }: AppState): boolean {
  return cursorButton === "down" || isResizing || isRotating || selectedElementsAreBeingDragged;
}

function collaboratorsOf(others: readonly Other[]): Map<SocketId, Collaborator> {
  const collaborators = new Map<SocketId, Collaborator>();
  for (const { client, user, name, color, colorLight, pointer, button, selected } of others) {
    const socketId = String(client) as SocketId;
    collaborators.set(socketId, {
      socketId,
      id: user || undefined,
      username: name,
      pointer: pointer && { ...pointer, laserColor: color },
      button,
      selectedElementIds: Object.fromEntries(selected.map((id) => [id, true as const])),
      color: { background: colorLight, stroke: color },
    });
  }
  return collaborators;
}
