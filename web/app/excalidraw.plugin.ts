// What the whiteboard's component brings that this page has no use for, taken out while the page is built: addresses
// of other servers, WebAssembly (the content policy has no room for it), and megabytes. Each cut fails loudly when the
// component no longer has what is cut.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

const DIST = dirname(createRequire(import.meta.url).resolve("@excalidraw/excalidraw"));
const IN_DIST = /@excalidraw\/excalidraw\/dist\/prod\/([^?]*)/;
/** The languages of the page. `percentages` says how complete each is. */
const LOCALES = /^locales\/(?:en|fr-FR|percentages)-/;
/** Chinese handwriting, twelve megabytes; the reader's own fonts take its place. */
const LEFT_OUT = new Set(["Xiaolai"]);

/** Fonts in an SVG are put in whole instead of cut to the letters used, which takes a WebAssembly of two megabytes. */
const WHOLE_FONTS = `
export const Commands = { Subset: "SUBSET" };
export const toBase64 = (buffer) => {
  let text = "";
  for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
  return "data:font/woff2;base64," + btoa(text);
};
export const subsetToBase64 = async (buffer) => toBase64(buffer);
export const subsetToBinary = async (buffer) => buffer;
`;

/** A file of the component that is replaced, or nothing. */
function replacement(file: string): string | undefined {
  if (file === "subset-shared.chunk.js") return WHOLE_FONTS;
  if (file === "subset-worker.chunk.js") return "export const WorkerUrl = undefined;";
  if (file.startsWith("locales/") && !LOCALES.test(file)) return "export default {};";
  return undefined;
}

function cut(code: string, what: RegExp, by: string): string {
  if (!what.test(code)) throw new Error(`the whiteboard's component has no ${what} any more`);
  return code.replace(what, by);
}

export function excalidraw(): Plugin {
  return {
    name: "excalidraw",
    enforce: "pre",
    load(id) {
      const file = IN_DIST.exec(id)?.[1];
      return file === undefined ? undefined : replacement(file);
    },
    transform(code, id) {
      const file = IN_DIST.exec(id)?.[1];
      if (file === undefined || !code.includes("ASSETS_FALLBACK_URL")) return undefined;
      // Fonts come from this server or not at all.
      return {
        code: cut(code, /return (\w+)\.push\(new URL\(\w+,\w+\.ASSETS_FALLBACK_URL\)\),\1/, "return $1"),
        map: null,
      };
    },
    generateBundle() {
      const fonts = join(DIST, "fonts");
      for (const family of readdirSync(fonts)) {
        if (LEFT_OUT.has(family)) continue;
        for (const name of readdirSync(join(fonts, family))) {
          // Their names have a hash of what is in them.
          const fileName = `assets/fonts/${family}/${name}`;
          this.emitFile({ type: "asset", fileName, source: readFileSync(join(fonts, family, name)) });
        }
      }
    },
  };
}
