// Makes protocol/generated/protocol.ts from the JSON Schemas beside it; `--check` fails when it is stale.
//
// The schemas put a `$ref` beside other keywords, which JSON Schema 2020-12 (section 8.2.3.1) reads as "both". The
// compiler reads older drafts, where a `$ref` stands alone, so both are written out as `allOf` first.
import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

const folder = new URL("../../protocol/generated/", import.meta.url);
const target = new URL("protocol.ts", folder);

const read = async (name) => JSON.parse(await readFile(new URL(`${name}.schema.json`, folder), "utf8"));

function rewrite(node) {
  if (Array.isArray(node)) return node.map(rewrite);
  if (node === null || typeof node !== "object") return node;
  const { $ref, oneOf, anyOf, ...rest } = Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, rewrite(value)]),
  );
  // Absent and null mean the same to the server, which writes absent; types say it once.
  if (Array.isArray(rest.type)) {
    const kinds = rest.type.filter((kind) => kind !== "null");
    rest.type = kinds.length === 1 ? kinds[0] : kinds;
  }
  // Bounds say nothing in a type, and array bounds would unfold into tuples.
  for (const key of ["minItems", "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum", "format"]) {
    if (typeof rest[key] !== "object") delete rest[key];
  }
  // A default is what the server assumes; the field may be left out, which `required` already says.
  if (typeof rest.type === "string" || $ref) delete rest.default;
  const variants = (oneOf ?? anyOf)?.filter((variant) => variant.type !== "null");
  const parts = [];
  if ($ref) parts.push({ $ref });
  if (variants) parts.push(variants.length === 1 ? variants[0] : { oneOf: variants });
  if (parts.length === 0) return rest;
  const { description, $defs, title, ...own } = rest;
  if (Object.keys(own).length > 0) parts.push(own);
  const outer = Object.fromEntries(Object.entries({ title, description, $defs }).filter(([, value]) => value));
  // A description beside a reference would make a second, numbered copy of the type.
  if (parts.length === 1 && !parts[0].$ref) return { ...outer, ...parts[0] };
  return Object.keys(outer).length === 0 && parts.length === 1 ? parts[0] : { ...outer, allOf: parts };
}

const [client, server] = (await Promise.all([read("client"), read("server")])).map(rewrite);
const { $defs: clientDefs, $schema: _1, ...clientFrame } = client;
const { $defs: serverDefs, $schema: _2, ...serverFrame } = server;
for (const [name, schema] of Object.entries(clientDefs)) {
  if (serverDefs[name] && JSON.stringify(serverDefs[name]) !== JSON.stringify(schema)) {
    throw new Error(`the two schemas disagree about ${name}`);
  }
}
const schema = {
  title: "Protocol",
  description: "Both directions.",
  oneOf: [{ $ref: "#/definitions/ClientFrame" }, { $ref: "#/definitions/ServerFrame" }],
  definitions: JSON.parse(
    JSON.stringify({ ...clientDefs, ...serverDefs, ClientFrame: clientFrame, ServerFrame: serverFrame }).replaceAll(
      "#/$defs/",
      "#/definitions/",
    ),
  ),
};
const text = await compile(schema, "Protocol", {
  additionalProperties: false,
  bannerComment:
    "// Generated from client.schema.json and server.schema.json; do not edit. See web/scripts/generate.mjs.",
  format: true,
  style: { printWidth: 120 },
});

if (process.argv.includes("--check")) {
  const found = await readFile(target, "utf8").catch(() => "");
  if (found !== text) {
    console.error("protocol/generated/protocol.ts is stale: run `npm run generate` in web/");
    process.exit(1);
  }
} else {
  await writeFile(target, text);
}
