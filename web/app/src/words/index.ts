// Everything that the page says. A language is a file beside this one, of the type of `en.ts`.
import { useSyncExternalStore } from "react";
import { currentSettings, type Language, onSettings } from "../settings.ts";
import { en, type Words } from "./en.ts";
import { fr } from "./fr.ts";

export type { Words };

const LANGUAGES: Record<Language, Words> = { en, fr };

/** The languages by the names that they give themselves. */
export const LANGUAGE_NAMES: Record<Language, string> = { en: "English", fr: "Français" };

interface Speech {
  words: Words;
  /** For `Intl`: with the reader's region, when the browser tells one of this language (`en-GB`). */
  locale: string;
}

let speech = choose();

function choose(): Speech {
  const wanted = currentSettings().language;
  const languages = navigator.languages ?? [navigator.language];
  const locale = languages.find((each) => (wanted ? languageOf(each) === wanted : languageOf(each) !== undefined));
  const language = wanted ?? languageOf(locale) ?? "en";
  return { words: LANGUAGES[language], locale: locale ?? language };
}

function languageOf(locale: string | undefined): Language | undefined {
  const language = locale?.toLowerCase().split("-")[0];
  return language === "en" || language === "fr" ? language : undefined;
}

const listeners = new Set<() => void>();

function renew(): void {
  const next = choose();
  if (next.words === speech.words && next.locale === speech.locale) return;
  speech = next;
  document.documentElement.lang = speech.locale;
  for (const listener of listeners) listener();
}

document.documentElement.lang = speech.locale;
onSettings(renew);
addEventListener("languagechange", renew);

function listen(told: () => void): () => void {
  listeners.add(told);
  return () => listeners.delete(told);
}

/** What the page says, in the reader's language; told anew when it is changed. */
export function useWords(): Words {
  return useSyncExternalStore(listen, currentWords);
}

/** For code that is called by a component which uses `useWords`. */
export function currentWords(): Words {
  return speech.words;
}

/** The language and region for `Intl`. */
export function currentLocale(): string {
  return speech.locale;
}

/** One formatter per locale: making one costs more than a hundred uses. */
export function perLocale<T>(make: (locale: string) => T): () => T {
  let made: { locale: string; value: T } | undefined;
  return () => {
    const locale = currentLocale();
    if (made?.locale !== locale) made = { locale, value: make(locale) };
    return made.value;
  };
}

const lists = perLocale((locale) => new Intl.ListFormat(locale, { type: "conjunction" }));

/** `Ada, Ben and Cyd`. */
export function listOf(names: readonly string[]): string {
  return lists().format(names);
}

/** Why something was refused, in words for people; the server's own are for developers. */
export function faultText(fault: { code: string; message: string }): string {
  const { faults } = currentWords();
  return Object.hasOwn(faults, fault.code) ? faults[fault.code as keyof Words["faults"]] : fault.message;
}
