// What somebody has chosen for this browser.
import { useSyncExternalStore } from "react";
import { local } from "./kept.ts";

export type Theme = "system" | "light" | "dark";
export type Language = "en" | "fr";

export interface Settings {
  theme: Theme;
  /** None: the browser's own. */
  language?: Language;
  /** Whether mentions and direct messages are told by the browser while nobody looks. */
  notify: boolean;
  /** Whether they are heard. */
  sound: boolean;
}

const NAME = "stoa.settings";
const listeners = new Set<() => void>();
let settings = parse(local.getItem(NAME));

export function currentSettings(): Settings {
  return settings;
}

export function changeSettings(change: Partial<Settings>): void {
  settings = { ...settings, ...change };
  local.setItem(NAME, JSON.stringify(settings));
  tell();
}

export function onSettings(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useSettings(): Settings {
  return useSyncExternalStore(onSettings, currentSettings);
}

// Another tab of the same browser.
addEventListener("storage", (event) => {
  if (event.key !== NAME) return;
  settings = parse(event.newValue);
  tell();
});

function tell(): void {
  for (const listener of listeners) listener();
}

function parse(text: string | null): Settings {
  let kept: Partial<Settings> = {};
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (typeof value === "object" && value !== null) kept = value;
  } catch {
    // Somebody else's, or cut short.
  }
  return {
    theme: kept.theme === "light" || kept.theme === "dark" ? kept.theme : "system",
    language: kept.language === "en" || kept.language === "fr" ? kept.language : undefined,
    notify: kept.notify === true,
    sound: kept.sound === true,
  };
}
