import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    lib: { entry: "src/index.ts", formats: ["es"], fileName: () => "v1.js" },
    // Library mode leaves whitespace to its user's bundler; this file is served as it is.
    rolldownOptions: { output: { minify: true } },
  },
});
