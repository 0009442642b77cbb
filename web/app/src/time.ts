// Days and hours as the reader's language writes them.
import { perLocale } from "./words/index.ts";

const format = (options: Intl.DateTimeFormatOptions) => perLocale((locale) => new Intl.DateTimeFormat(locale, options));

const clock = format({ hour: "numeric", minute: "2-digit" });
const full = format({ dateStyle: "full", timeStyle: "short" });
const weekday = format({ weekday: "long", day: "numeric", month: "long" });
const withYear = format({ day: "numeric", month: "long", year: "numeric" });
const short = format({ day: "numeric", month: "short" });
const relative = perLocale((locale) => new Intl.RelativeTimeFormat(locale, { numeric: "auto" }));

const MINUTE = 60_000;
const DAY = 86_400_000;

export const timeOf = (at: number) => clock().format(at);
export const fullTimeOf = (at: number) => full().format(at);

/** Midnight of the reader's day; equal for moments of one day. */
export function dayOf(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

function daysAgo(at: number, now: number): number {
  // Rounded, since a day has 23 or 25 hours twice a year.
  return Math.round((dayOf(now) - dayOf(at)) / DAY);
}

/** `Today`, `Yesterday`, `Monday, 3 March`, `3 March 2024`. */
export function dayName(at: number, now: number): string {
  const days = daysAgo(at, now);
  if (days >= 0 && days <= 1) return capital(relative().format(-days, "day"));
  return capital(days < 180 ? weekday().format(at) : withYear().format(at));
}

/** The time today, the day before. */
export function briefTime(at: number, now: number): string {
  return daysAgo(at, now) === 0 ? clock().format(at) : short().format(at);
}

/** `2 minutes ago`, `yesterday`. */
export function ago(at: number, now: number): string {
  const minutes = Math.round((now - at) / MINUTE);
  if (minutes < 60) return relative().format(-minutes, "minute");
  if (daysAgo(at, now) === 0) return relative().format(-Math.round(minutes / 60), "hour");
  return relative().format(-daysAgo(at, now), "day");
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
