// Languages of the code pad; each is loaded when somebody chooses it.
import type { Extension } from "@codemirror/state";

export const LANGUAGES: Record<string, string> = {
  plain: "",
  python: "Python",
  javascript: "JavaScript",
  typescript: "TypeScript",
  markdown: "Markdown",
};

export async function languageExtension(name: string): Promise<Extension> {
  switch (name) {
    case "python":
      return (await import("@codemirror/lang-python")).python();
    case "javascript":
      return (await import("@codemirror/lang-javascript")).javascript({ jsx: true });
    case "typescript":
      return (await import("@codemirror/lang-javascript")).javascript({ typescript: true });
    case "markdown":
      return (await import("@codemirror/lang-markdown")).markdown();
    default:
      return [];
  }
}
