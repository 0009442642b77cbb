// Compresses what the server embeds, once and as well as gzip can, so that it need not at every request.
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** Fonts and pictures are compressed already; what is this small gains nothing. */
const NAMES = /\.(js|css|svg)$/;
const LEAST_BYTES = 1_024;

export function gzip(): Plugin {
  return {
    name: "gzip",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        for (const part of Object.values(bundle)) {
          const source = part.type === "chunk" ? part.code : part.source;
          if (!NAMES.test(part.fileName) || source.length < LEAST_BYTES) continue;
          this.emitFile({ type: "asset", fileName: `${part.fileName}.gz`, source: gzipSync(source, { level: 9 }) });
        }
      },
    },
  };
}
