// What is shown over the page: one dialog, and short notes that go by themselves.
import { useSyncExternalStore } from "react";

export type Shown =
  | { kind: "create" }
  | { kind: "settings" }
  | { kind: "room"; room: string }
  | { kind: "invite"; room: string }
  | { kind: "person"; room: string; user: string };

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "problem";
}

const TOAST_MS = 6_000;
const MOST_TOASTS = 3;

const listeners = new Set<() => void>();
let dialog: Shown | undefined;
let toasts: readonly Toast[] = [];
let lastId = 0;

function tell(): void {
  for (const listener of listeners) listener();
}

function listen(told: () => void): () => void {
  listeners.add(told);
  return () => listeners.delete(told);
}

export function showDialog(next: Shown | undefined): void {
  dialog = next;
  tell();
}

export function useShown(): Shown | undefined {
  return useSyncExternalStore(listen, () => dialog);
}

/** Says something in passing. What somebody must not miss is not said so. */
export function say(text: string, tone: Toast["tone"] = "plain"): void {
  lastId += 1;
  const toast = { id: lastId, text, tone };
  toasts = [...toasts, toast].slice(-MOST_TOASTS);
  tell();
  setTimeout(() => forget(toast.id), TOAST_MS);
}

export function forget(id: number): void {
  toasts = toasts.filter((toast) => toast.id !== id);
  tell();
}

export function useToasts(): readonly Toast[] {
  return useSyncExternalStore(listen, () => toasts);
}
