// Images of a board: kept beside the document, under the name that their content gives them. The document holds which
// image of the board has which name.
import type { BinaryFileData, BinaryFiles, DataURL, ExcalidrawImperativeAPI } from "@excalidraw/excalidraw/types";
import type { SharedDocument } from "@stoa/client/documents";
import { FILES } from "./binding/binding.ts";
import type { SceneElement } from "./binding/codec.ts";

/** What the server takes. */
const KINDS = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const HASH = /^[0-9a-f]{64}$/;
const AT_ONCE = 4;
const AGAIN_MS = 5_000;

export class Images {
  readonly #document: SharedDocument;
  readonly #api: ExcalidrawImperativeAPI;
  readonly #failed: (why: string) => void;
  /** On their way, there, or refused for good. */
  readonly #sent = new Set<string>();
  readonly #asked = new Set<string>();
  readonly #queue: (() => Promise<void>)[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #stop: () => void;
  #unobserve = () => {};
  #running = 0;
  #isOver = false;
  #scene: readonly SceneElement[] = [];

  constructor(document: SharedDocument, api: ExcalidrawImperativeAPI, failed: (why: string) => void) {
    this.#document = document;
    this.#api = api;
    this.#failed = failed;
    const stop = document.on("change", ({ phase }) => {
      if (phase === "open") this.fetchMissing(this.#scene);
    });
    this.#stop = () => {
      stop();
      this.#unobserve();
    };
    this.rebind();
  }

  /** Sends images that are on the board and nowhere else. */
  look(scene: readonly SceneElement[], files: BinaryFiles, mayEdit: boolean): void {
    if (!mayEdit || this.#document.state.phase !== "open") return;
    const known = this.#document.doc.getMap(FILES);
    for (const { type, fileId, isDeleted } of scene) {
      if (type !== "image" || isDeleted || typeof fileId !== "string") continue;
      const file = files[fileId];
      if (!file || known.has(fileId) || this.#sent.has(fileId)) continue;
      this.#sent.add(fileId);
      this.#run(() => this.#send(fileId, file));
    }
  }

  /** Fetches images that the board shows and that are not here. */
  fetchMissing(scene: readonly SceneElement[]): void {
    this.#scene = scene;
    const known = this.#document.doc.getMap(FILES);
    const here = this.#api.getFiles();
    for (const { type, fileId } of scene) {
      if (type !== "image" || typeof fileId !== "string" || here[fileId] || this.#asked.has(fileId)) continue;
      const hash = known.get(fileId);
      if (typeof hash !== "string" || !HASH.test(hash)) continue;
      this.#asked.add(fileId);
      this.#run(() => this.#fetch(fileId, hash));
    }
  }

  /** The replica is another one. */
  rebind(): void {
    this.#unobserve();
    this.#sent.clear();
    const files = this.#document.doc.getMap(FILES);
    // A name may come after the shape that needs it, and go with it: then whoever brings the shape back names it anew.
    const named = ({ keysChanged }: { keysChanged: Set<string> }) => {
      for (const fileId of keysChanged) if (!files.has(fileId)) this.#sent.delete(fileId);
      this.fetchMissing(this.#scene);
    };
    files.observe(named);
    this.#unobserve = () => files.unobserve(named);
  }

  end(): void {
    this.#isOver = true;
    this.#stop();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #send(fileId: string, file: BinaryFileData): Promise<void> {
    if (!KINDS.includes(file.mimeType)) return this.#failed(file.mimeType);
    const body = bytesOf(file.dataURL);
    const { client, room } = this.#document;
    let response: Response;
    try {
      const headers = { "content-type": file.mimeType };
      response = await client.fetch(`v1/rooms/${room}/blobs`, { method: "POST", headers, body });
    } catch {
      return this.#later(() => this.#sent.delete(fileId));
    }
    if (response.status >= 500 || response.status === 429) return this.#later(() => this.#sent.delete(fileId));
    if (!response.ok) {
      const problem = (await response.json().catch(() => ({}))) as { detail?: string };
      return this.#failed(problem.detail ?? String(response.status));
    }
    const { hash } = (await response.json()) as { hash: string };
    this.#document.doc.getMap(FILES).set(fileId, hash);
  }

  async #fetch(fileId: string, hash: string): Promise<void> {
    const file = await fetchFile(this.#document, fileId, hash).catch(() => undefined);
    if (this.#isOver) return;
    if (file) this.#api.addFiles([file]);
    else this.#later(() => this.#asked.delete(fileId));
  }

  #later(again: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      again();
      this.fetchMissing(this.#scene);
      this.look(this.#scene, this.#api.getFiles(), this.#document.state.mayEdit);
    }, AGAIN_MS);
    this.#timers.add(timer);
  }

  #run(task: () => Promise<void>): void {
    this.#queue.push(task);
    if (this.#running >= AT_ONCE) return;
    this.#running += 1;
    void this.#drain();
  }

  async #drain(): Promise<void> {
    for (let task = this.#queue.shift(); task && !this.#isOver; task = this.#queue.shift()) {
      await task().catch(() => {});
    }
    this.#running -= 1;
  }
}

async function fetchFile({ client, room }: SharedDocument, fileId: string, hash: string): Promise<BinaryFileData> {
  const response = await client.fetch(`v1/rooms/${room}/blobs/${hash}`);
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const blob = await response.blob();
  const mimeType = blob.type as BinaryFileData["mimeType"];
  return { id: fileId as BinaryFileData["id"], mimeType, dataURL: (await read(blob)) as DataURL, created: 1 };
}

/** The images of these shapes; one that cannot be had is left out. */
export async function filesOf(
  shared: SharedDocument,
  doc: SharedDocument["doc"],
  elements: readonly SceneElement[],
): Promise<BinaryFiles> {
  const names = doc.getMap(FILES);
  const ids = new Set(elements.flatMap(({ fileId }) => (typeof fileId === "string" ? [fileId] : [])));
  const files = await Promise.all(
    [...ids].map((fileId) => {
      const hash = names.get(fileId);
      const isName = typeof hash === "string" && HASH.test(hash);
      return isName ? fetchFile(shared, fileId, hash).catch(() => undefined) : undefined;
    }),
  );
  return Object.fromEntries(files.flatMap((file) => (file ? [[file.id, file]] : [])));
}

function bytesOf(dataURL: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(dataURL.slice(dataURL.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
}

function read(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(new Error("the image could not be read"));
    reader.readAsDataURL(blob);
  });
}
