// Storage that may be refused: a browser denies it to a page in another site's frame, and throws at the first touch.
// What cannot be kept lives as long as the page does.

export interface Kept {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

function guarded(name: "localStorage" | "sessionStorage"): Kept {
  const memory = new Map<string, string>();
  const attempt = <T>(act: (storage: Storage) => T, otherwise: T): T => {
    try {
      return act(globalThis[name]);
    } catch {
      return otherwise;
    }
  };
  return {
    getItem: (key) => memory.get(key) ?? attempt((storage) => storage.getItem(key), null),
    setItem: (key, value) => {
      const isKept = attempt((storage) => {
        storage.setItem(key, value);
        return true;
      }, false);
      // Full or refused.
      if (isKept) memory.delete(key);
      else memory.set(key, value);
    },
    removeItem: (key) => {
      memory.delete(key);
      attempt((storage) => storage.removeItem(key), undefined);
    },
  };
}

/** Over all tabs, for good. */
export const local = guarded("localStorage");
/** In this tab, over reloads. */
export const session = guarded("sessionStorage");

/** The tab's own storage, where the browser grants one. */
export const tabStore: Storage | null = (() => {
  try {
    return globalThis.sessionStorage;
  } catch {
    return null;
  }
})();
