import { defineConfig } from "vite";

// `--mode react` makes the bindings: an entry of its own, so that the client stays one file.
export default defineConfig(({ mode }) => {
  const [entry, name] = mode === "react" ? ["src/react.ts", "react.js"] : ["src/index.ts", "v1.js"];
  return {
    build: {
      target: "es2022",
      emptyOutDir: mode !== "react",
      lib: { entry, formats: ["es"], fileName: () => name },
      // Library mode leaves whitespace to its user's bundler; this file is served as it is.
      rolldownOptions: { external: ["react"], output: { minify: true } },
    },
  };
});
