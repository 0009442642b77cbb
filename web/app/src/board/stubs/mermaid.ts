// In the place of the whiteboard's importer of Mermaid diagrams, which is larger than everything else together and is
// not offered here.
export function parseMermaidToExcalidraw(): Promise<never> {
  return Promise.reject(new Error("diagrams are not imported here"));
}
