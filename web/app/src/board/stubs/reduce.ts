// Makes large pictures smaller before they are put on the board, by the browser's own means.

interface Reducer {
  /** The component sets it when the picture is to become another format. */
  _create_blob?: unknown;
  toBlob(file: Blob, options: { max: number; unsharpAmount?: number }): Promise<Blob>;
}

/** The shape of the package `image-blob-reduce`, as far as the whiteboard uses it. */
export default function reducer(): Reducer {
  return { toBlob };
}

async function toBlob(this: Reducer, file: Blob, { max }: { max: number }): Promise<Blob> {
  const picture = await createImageBitmap(file);
  const factor = Math.min(1, max / Math.max(picture.width, picture.height));
  // Drawn anew at the same size it would only lose quality.
  if (factor === 1 && this._create_blob === undefined) return file;
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(picture.width * factor)),
    Math.max(1, Math.round(picture.height * factor)),
  );
  const context = canvas.getContext("2d");
  if (!context) return file;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas.convertToBlob({ type: file.type === "image/png" ? "image/png" : "image/jpeg", quality: 0.9 });
}
