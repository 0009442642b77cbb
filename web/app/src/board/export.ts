// Takes a board or a text away as a file.
import { serializeAsJSON } from "@excalidraw/excalidraw";
import type { BinaryFiles } from "@excalidraw/excalidraw/types";
import type { SharedDocument } from "@stoa/client/documents";
import { elementsOf } from "./binding/binding.ts";
import type { SceneElement } from "./binding/codec.ts";
import { download } from "./files.ts";

type Serialized = Parameters<typeof serializeAsJSON>[0];

/** The shapes in the file format of Excalidraw, from the document itself. */
export function boardFile(elements: readonly SceneElement[], files: BinaryFiles): string {
  return serializeAsJSON(elements as unknown as Serialized, {}, files, "local");
}

export function exportBoard(shared: SharedDocument, files: BinaryFiles): void {
  download(`${shared.room}-${shared.name}.excalidraw`, boardFile(elementsOf(shared.doc), files), "application/json");
}
