import { useEffect, useState } from "react";
import { Avatar } from "./Avatar.tsx";
import { useClient, useClientState } from "./hooks.ts";
import { GearIcon } from "./icons.tsx";
import { LogOut } from "./LogOut.tsx";
import { onPresence, PLAIN, readPresence } from "./presence.ts";
import { statusText } from "./status.ts";
import { Name } from "./text.tsx";
import { showDialog } from "./told.ts";
import { useWords } from "./words/index.ts";

/** Who one is here, how the connection goes, and the way to the settings. */
export function Self({ onLogOut }: { onLogOut: (() => void) | undefined }) {
  const words = useWords();
  const state = useClientState();
  const { user } = state;
  const own = useOwnPresence(user);
  const isOnline = state.status === "connected" || state.status === "catching_up";
  if (user === undefined) return <footer className="self muted">{statusText(state)}</footer>;
  const profile = state.profile ?? { name: user };
  return (
    <footer className="self">
      <Avatar id={user} profile={profile} presence={isOnline ? own.state : "offline"} />
      <span className="self-text">
        <Name name={profile.name} />
        <span className="muted self-status" data-testid="status" title={statusText(state)}>
          {statusText(state)}
        </span>
      </span>
      <button
        type="button"
        className="icon-button"
        title={words.settings}
        onClick={() => showDialog({ kind: "settings" })}
      >
        <GearIcon />
        <span className="hidden">{words.settings}</span>
      </button>
      {onLogOut && <LogOut user={user} onLogOut={onLogOut} />}
    </footer>
  );
}

/** What was said of oneself on this browser, said again to the server. */
function useOwnPresence(user: string | undefined) {
  const client = useClient();
  const [own, setOwn] = useState(PLAIN);
  useEffect(() => {
    if (user === undefined) return;
    const kept = readPresence(user);
    setOwn(kept);
    if (kept !== PLAIN) client.setPresence(kept.state, kept.text);
    return onPresence(() => setOwn(readPresence(user)));
  }, [client, user]);
  return own;
}
