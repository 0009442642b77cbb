// Parts of the page that come when they are needed, or when the page has nothing else to do.
import { type ComponentType, createElement, useEffect, useSyncExternalStore } from "react";
import { say } from "./told.ts";
import { currentWords } from "./words/index.ts";

interface Options<Props> {
  load: () => Promise<ComponentType<Props>>;
  /** Shown until the part is there. */
  meanwhile?: ComponentType<Props>;
  /** Called when the part cannot be had: the network is gone, or the server has a newer page. */
  onFail?: (props: Props) => void;
}

export interface Later<Props> {
  (props: Props): React.ReactNode;
  preload(): void;
}

/**
 * A component in a file of its own. Unlike `lazy` of React, which brings the whole page down when the file cannot be had,
 * it says so, and tries again when it is asked for again.
 */
export function later<Props extends object>({ load, meanwhile, onFail }: Options<Props>): Later<Props> {
  let loaded: ComponentType<Props> | undefined;
  let loading: Promise<void> | undefined;
  const listeners = new Set<() => void>();
  const listen = (told: () => void) => {
    listeners.add(told);
    return () => listeners.delete(told);
  };
  const fetch = () => {
    loading ??= load().then(
      (component) => {
        loaded = component;
        for (const told of listeners) told();
      },
      (error: unknown) => {
        loading = undefined;
        throw error;
      },
    );
    return loading;
  };
  const Part = (props: Props) => {
    const component = useSyncExternalStore(listen, () => loaded);
    // biome-ignore lint/correctness/useExhaustiveDependencies: it is asked for once, when it is first shown
    useEffect(() => {
      let isGone = false;
      fetch().catch(() => {
        if (isGone) return;
        say(currentWords().partAway, "problem");
        onFail?.(props);
      });
      return () => {
        isGone = true;
      };
    }, []);
    const shown = component ?? meanwhile;
    return shown ? createElement(shown, props) : null;
  };
  return Object.assign(Part, { preload: () => void fetch().catch(() => {}) });
}

/** After this the page has most likely shown what it was opened for. */
const IDLE_MS = 3_000;

/** Calls when the browser has nothing else to do. */
export function whenIdle(act: () => void): () => void {
  if (typeof requestIdleCallback !== "function") {
    const handle = setTimeout(act, IDLE_MS / 2);
    return () => clearTimeout(handle);
  }
  const handle = requestIdleCallback(act, { timeout: IDLE_MS });
  return () => cancelIdleCallback(handle);
}
