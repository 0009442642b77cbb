// The language of a code pad: kept in the document, so that whoever may edit chooses it for all.
import type { SharedDocument } from "@stoa/client/documents";
import { useCallback, useSyncExternalStore } from "react";
import { useDoc, useDocumentState } from "./documents.ts";
import { LANGUAGES } from "./languages.ts";
import { SETTINGS } from "./text.ts";
import { useBoardWords } from "./words.ts";

const FIRST = "python";

export function useLanguage(shared: SharedDocument): [string, (language: string) => void] {
  const settings = useDoc(shared).getMap(SETTINGS);
  const listen = useCallback(
    (told: () => void) => {
      settings.observe(told);
      return () => settings.unobserve(told);
    },
    [settings],
  );
  const language = useSyncExternalStore(listen, () => settings.get("language"));
  const isKnown = typeof language === "string" && Object.hasOwn(LANGUAGES, language);
  return [isKnown ? language : FIRST, (next) => settings.set("language", next)];
}

export function Language({ shared }: { shared: SharedDocument }) {
  const words = useBoardWords();
  const { mayEdit } = useDocumentState(shared);
  const [language, setLanguage] = useLanguage(shared);
  return (
    <select
      className="stage-language"
      aria-label={words.language}
      value={language}
      disabled={!mayEdit}
      onChange={(event) => setLanguage(event.target.value)}
    >
      {Object.entries(LANGUAGES).map(([name, label]) => (
        <option key={name} value={name}>
          {label || words.plainText}
        </option>
      ))}
    </select>
  );
}
