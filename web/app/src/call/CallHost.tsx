// What of calls is there on every page: the call that goes on while one looks at something else, and who calls.
import type { Client, Ring } from "@stoa/client";
import { lazy, Suspense, useCallback, useEffect, useRef, useSyncExternalStore } from "react";
import { useClient } from "../hooks.ts";
import { answer, kept, rise, useSitting } from "./desk.ts";

const Dock = lazy(() => import("./Dock.tsx"));
const Rings = lazy(() => import("./Rings.tsx"));

export function CallHost() {
  const client = useClient();
  const sitting = useSitting();
  const rings = useRings(client);
  useReturn(client);
  useMissed(client);
  // Another user's tab has nothing of this one's call.
  useEffect(() => () => rise(), []);
  return (
    <Suspense>
      {sitting && <Dock sitting={sitting} />}
      {rings.length > 0 && <Rings rings={rings} />}
    </Suspense>
  );
}

function useRings(client: Client): readonly Ring[] {
  const listen = useCallback((told: () => void) => client.on("rings", told), [client]);
  return useSyncExternalStore(listen, () => client.rings);
}

/** Calls that this user has not answered, on whatever device. */
function useMissed(client: Client): void {
  useEffect(
    () =>
      client.on("ringEnded", (ring) => {
        if (ring.reason === "answered" || ring.reason === "declined") return;
        void import("./missed.ts").then(({ tellMissed }) => tellMissed(client, ring));
      }),
    [client],
  );
}

/** A page that was loaded anew goes on with its call by itself. */
function useReturn(client: Client): void {
  const isDone = useRef(false);
  useEffect(() => {
    if (isDone.current) return;
    isDone.current = true;
    const before = kept();
    if (!before) return;
    // Where the call is over by then, there is nothing to go on with.
    void answer(client, before.room, before.call, before);
  }, [client]);
}
