// Makes docs/client-api.md from the client's types; `--check` fails when it is stale. A package of its own, because it
// needs an earlier TypeScript than the rest.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application } from "typedoc";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const target = at("../../docs/client-api.md");
const folder = await mkdtemp(join(tmpdir(), "stoa-reference-"));
try {
  const app = await Application.bootstrapWithPlugins({
    entryPoints: [at("../client/src/index.ts"), at("../client/src/react.ts")],
    tsconfig: at("tsconfig.json"),
    plugin: ["typedoc-plugin-markdown"],
    // The types of the protocol are in docs/protocol.md and protocol/generated.
    exclude: [at("../../protocol/generated/protocol.ts")],
    router: "module",
    outputs: [{ name: "markdown", path: folder }],
    name: "The client's API",
    readme: "none",
    disableSources: true,
    excludePrivate: true,
    excludeProtected: true,
    excludeInternal: true,
    excludeExternals: true,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    parametersFormat: "table",
    interfacePropertiesFormat: "table",
    propertyMembersFormat: "table",
    typeDeclarationFormat: "table",
    enumMembersFormat: "table",
    sort: ["kind", "alphabetical"],
    logLevel: "Error",
  });
  const project = await app.convert();
  if (!project) throw new Error("the sources could not be read");
  await app.generateOutputs(project);
  const titles = { "index.md": "`@stoa/client`", "react.md": "`@stoa/client/react`" };
  const parts = await Promise.all(
    Object.entries(titles).map(async ([name, title]) =>
      (await readFile(join(folder, name), "utf8"))
        .replace(/^# .*$/m, `# ${title}`)
        .replaceAll(/\]\((index|react)\.md#/g, "](#"),
    ),
  );
  const text = `<!-- Generated from web/client/src by web/reference; do not edit. -->\n\n${parts.join("\n")}`;
  if (process.argv.includes("--check")) {
    const found = await readFile(target, "utf8").catch(() => "");
    if (found !== text) {
      console.error("docs/client-api.md is stale: run `npm --prefix web/reference run generate`");
      process.exitCode = 1;
    }
  } else {
    await writeFile(target, text);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
