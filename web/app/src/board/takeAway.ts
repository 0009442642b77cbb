// Takes a document away as a file, whatever it is.
import type { SharedDocument } from "@stoa/client/documents";
import { download } from "./files.ts";
import type { Kind } from "./tabs.ts";
import { TEXT } from "./text.ts";

export async function takeAway(shared: SharedDocument, kind: Kind): Promise<void> {
  if (kind !== "board") {
    return download(`${shared.room}-${shared.name}.txt`, shared.doc.getText(TEXT).toString(), "text/plain");
  }
  // What writes boards comes with the board's component.
  const [{ exportBoard }, { filesOf }, { elementsOf }] = await Promise.all([
    import("./export.ts"),
    import("./images.ts"),
    import("./binding/binding.ts"),
  ]);
  exportBoard(shared, await filesOf(shared, shared.doc, elementsOf(shared.doc)));
}
