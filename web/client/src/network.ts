// What the platform says of the network.

/**
 * A device that has its network back, or a page that is looked at again, should not wait for a delay to pass; one that
 * has lost its network should know soon. None of these is trusted further than to try.
 */
export function listenToNetwork(wake: () => void): () => void {
  const target = globalThis as Partial<
    Pick<typeof globalThis, "addEventListener" | "removeEventListener" | "document">
  >;
  const { addEventListener, removeEventListener, document } = target;
  if (!addEventListener || !removeEventListener) return () => {};
  const seen = () => {
    if (document?.visibilityState === "visible") wake();
  };
  const names = ["online", "offline", "pageshow"];
  for (const name of names) addEventListener(name, wake);
  document?.addEventListener("visibilitychange", seen);
  return () => {
    for (const name of names) removeEventListener(name, wake);
    document?.removeEventListener("visibilitychange", seen);
  };
}

/** Calls back when the device has come to another network. */
export function onNetwork(changed: () => void): () => void {
  const { addEventListener, removeEventListener, navigator } = globalThis as Partial<typeof globalThis>;
  const connection = (navigator as { connection?: EventTarget } | undefined)?.connection;
  addEventListener?.("online", changed);
  connection?.addEventListener?.("change", changed);
  return () => {
    removeEventListener?.("online", changed);
    connection?.removeEventListener?.("change", changed);
  };
}

/** Calls back when the page is left: it is closed, loaded anew, or goes to another address. */
export function onLeaving(left: () => void): () => void {
  const { addEventListener, removeEventListener } = globalThis as Partial<typeof globalThis>;
  addEventListener?.("pagehide", left);
  return () => removeEventListener?.("pagehide", left);
}
