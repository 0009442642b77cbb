import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { emoji } from "./emoji.plugin.ts";

// `STOA` names the server that `npm run dev` speaks to.
const server = process.env.STOA ?? "http://127.0.0.1:8080";

export default defineConfig({
  // The server may be below a path prefix that is not known here.
  base: "./",
  plugins: [react(), emoji()],
  resolve: { alias: { "@stoa/client": fileURLToPath(new URL("../client/src/index.ts", import.meta.url)) } },
  build: {
    target: "es2022",
    // `data:` addresses would need room in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": { target: server, ws: true } } },
});
