// A board's content as a picture.
import "./assets.ts";
import { exportToCanvas } from "@excalidraw/excalidraw";
import type { BinaryFiles } from "@excalidraw/excalidraw/types";
import type { SharedDocument, Y } from "@stoa/client/documents";
import { useEffect, useRef, useState } from "react";
import { elementsOf } from "./binding/binding.ts";
import { filesOf } from "./images.ts";

type Elements = Parameters<typeof exportToCanvas>[0]["elements"];

const WIDEST = 900;

export default function Picture({ shared, doc, empty }: { shared: SharedDocument; doc: Y.Doc; empty: string }) {
  const host = useRef<HTMLDivElement>(null);
  const [isEmpty, setEmpty] = useState(false);
  useEffect(() => {
    let isGone = false;
    const elements = elementsOf(doc);
    setEmpty(elements.length === 0);
    if (elements.length === 0) return;
    const draw = async () => {
      const files: BinaryFiles = await filesOf(shared, doc, elements);
      const canvas = await exportToCanvas({
        elements: elements as unknown as Elements,
        files,
        appState: { exportBackground: true, viewBackgroundColor: "#ffffff" },
        maxWidthOrHeight: WIDEST,
      });
      if (!isGone) host.current?.replaceChildren(canvas);
    };
    void draw();
    return () => {
      isGone = true;
    };
  }, [shared, doc]);
  if (isEmpty) return <p className="muted">{empty}</p>;
  return <div className="version-picture" ref={host} data-shapes={elementsOf(doc).length} />;
}
