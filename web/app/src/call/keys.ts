// What the keys M, V, S and H do, and the buttons of the same meaning.
import { useEffect } from "react";
import type { Sitting } from "./sitting.ts";

export const does = {
  mute({ call, media }: Sitting): void {
    if (call.state.locked.includes("microphone")) return;
    void media.setMicrophone(!media.state.microphone);
  },
  camera({ call, media }: Sitting): void {
    if (call.state.locked.includes("camera")) return;
    void media.setCamera(!media.state.camera);
  },
  share({ call, media }: Sitting): void {
    if (media.state.screen) media.stopScreen();
    else if (!call.state.locked.includes("screen")) void media.shareScreen();
  },
  hand({ call }: Sitting): void {
    const { participants, hands } = call.state;
    const me = participants.find(({ isMe }) => isMe);
    if (me) void call.hand(!hands.includes(me.session)).catch(() => {});
  },
};

const KEYS = new Map<string, (sitting: Sitting) => void>([
  ["m", does.mute],
  ["v", does.camera],
  ["s", does.share],
  ["h", does.hand],
]);

/** Whether a key pressed here is meant for the call: not for a field, nor for a board, which has its own keys. */
function isForCall(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return true;
  if (target.closest("input, textarea, select, [contenteditable], [role=dialog], [role=listbox], [role=menu]"))
    return false;
  return target === document.body || target.closest(".call-stage, .call-dock, main.room") !== null;
}

export function useShortcuts(sitting: Sitting): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
      const act = KEYS.get(event.key.toLowerCase());
      if (!act || !isForCall(event.target)) return;
      event.preventDefault();
      act(sitting);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [sitting]);
}
