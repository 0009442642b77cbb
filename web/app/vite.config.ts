import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { gzip } from "../gzip.plugin.ts";
import { emoji } from "./emoji.plugin.ts";
import { excalidraw } from "./excalidraw.plugin.ts";

// `STOA` names the server that `npm run dev` speaks to.
const server = process.env.STOA ?? "http://127.0.0.1:8080";

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  // The server may be below a path prefix that is not known here.
  base: "./",
  plugins: [excalidraw(), react(), emoji(), gzip()],
  resolve: {
    alias: [
      { find: /^@stoa\/client$/, replacement: file("../client/src/index.ts") },
      { find: /^@stoa\/client\/call$/, replacement: file("../client/src/call/index.ts") },
      { find: /^@stoa\/client\/check$/, replacement: file("../client/src/check.ts") },
      { find: /^@stoa\/client\/documents$/, replacement: file("../client/src/documents.ts") },
      { find: /^@excalidraw\/mermaid-to-excalidraw$/, replacement: file("src/board/stubs/mermaid.ts") },
      { find: /^pica$/, replacement: file("src/board/stubs/pica.ts") },
      { find: /^image-blob-reduce$/, replacement: file("src/board/stubs/reduce.ts") },
    ],
    // Two copies of Yjs do not know each other's types.
    dedupe: ["yjs", "react", "react-dom"],
  },
  build: {
    target: "es2022",
    // `data:` addresses would need room in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": { target: server, ws: true } } },
});
