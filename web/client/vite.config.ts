import { defineConfig } from "vite";
import { gzip } from "../gzip.plugin.ts";

/** What each mode makes. Each file stands alone: embedding pages name it by its address. */
const ENTRIES: Record<string, [string, string]> = {
  /** The bindings. */
  react: ["src/react.ts", "react.js"],
  /** Calls: who only chats has no use for them. */
  call: ["src/call/index.ts", "call.v1.js"],
  /** Shared documents: Yjs is three times as large as everything else, and who only chats has no use for it. */
  documents: ["src/documents.ts", "documents.v1.js"],
  /** The look at what works: wanted once before a call, not by every page. */
  check: ["src/check.ts", "check.v1.js"],
};

export default defineConfig(({ mode }) => {
  const [entry, name] = ENTRIES[mode] ?? ["src/index.ts", "v1.js"];
  return {
    plugins: [gzip()],
    build: {
      target: "es2022",
      emptyOutDir: !(mode in ENTRIES),
      lib: { entry, formats: ["es"], fileName: () => name },
      // Library mode leaves whitespace to its user's bundler; this file is served as it is.
      rolldownOptions: { external: ["react"], output: { minify: true } },
    },
  };
});
