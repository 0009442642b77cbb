import { useCallback, useEffect, useRef, useState } from "react";
import { fetchConfig, type PageConfig } from "./config.ts";
import { Notice } from "./Entry.tsx";
import { ClientContext } from "./hooks.ts";
import { Invite } from "./Invite.tsx";
import { Join } from "./Join.tsx";
import { session as tab } from "./kept.ts";
import { Login } from "./Login.tsx";
import { isFramed } from "./parent.ts";
import { go, usePlace } from "./place.ts";
import { Shell } from "./Shell.tsx";
import { loginAddress, logOut, resumeSession, type Session, SessionContext, sessionFromParent } from "./session.ts";
import { useWords } from "./words/index.ts";

const AGAIN_MS = 2_000;
/** Who comes back from the login page without a token and this soon is not sent there again. */
const SENT = "stoa.sent";
const SENT_MS = 60_000;

export function App() {
  const config = useConfig();
  const place = usePlace();
  const [session, setSession] = useState<Session>();
  const isAsked = useRef(false);

  const enter = useCallback((next: Session) => {
    setSession((old) => {
      if (old && old !== next) old.client.close();
      return next;
    });
  }, []);

  if (config === undefined) return null;
  if (config === "away") return <Away />;
  if (place.page === "join") {
    return (
      <Join
        config={config}
        onJoin={(next, room) => {
          enter(next);
          go(room, "replace");
        }}
      />
    );
  }
  if (!session) return <Door config={config} isAsked={isAsked} onSession={enter} />;
  const leave = () => {
    logOut(session);
    setSession(undefined);
  };
  return (
    <SessionContext value={session}>
      <ClientContext value={session.client}>
        {place.page === "invite" ? <Invite /> : <Shell onLogOut={session.isOwn ? leave : undefined} />}
      </ClientContext>
    </SessionContext>
  );
}

interface DoorProps {
  config: PageConfig;
  /** Whether what an earlier load left behind was taken up already. */
  isAsked: { current: boolean };
  onSession: (session: Session) => void;
}

/** Finds out who comes: from the address, the tab, the page around this one, by name, or at the login page. */
function Door({ config, isAsked, onSession }: DoorProps) {
  const words = useWords();
  const [problem, setProblem] = useState<"none" | "parent" | "sent">();
  const [attempt, setAttempt] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt is another run
  useEffect(() => {
    if (!isAsked.current) {
      isAsked.current = true;
      const known = resumeSession(config);
      if (known) return onSession(known);
    }
    const isOutside = !isFramed || config.parent_origins.length === 0;
    if (isOutside) return setProblem(config.dev ? undefined : sendAway(config));
    let isGone = false;
    sessionFromParent(config).then(
      (next) => {
        if (isGone) next.client.close();
        else onSession(next);
      },
      () => {
        if (!isGone) setProblem("parent");
      },
    );
    return () => {
      isGone = true;
    };
  }, [config, isAsked, onSession, attempt]);

  if (config.dev && (!isFramed || problem === "parent")) return <Login config={config} onSession={onSession} />;
  if (problem === undefined) return isFramed ? <Notice text={words.askingParent} isBusy /> : null;
  const again = () => {
    setProblem(undefined);
    setAttempt((count) => count + 1);
  };
  if (problem === "parent") {
    return <Notice title={words.noToken} text={words.noTokenParent} action={words.tryAgain} onAction={again} />;
  }
  const address = loginAddress(config);
  return (
    <Notice
      title={words.noToken}
      text={problem === "sent" ? words.noTokenBack : words.noTokenWhy}
      action={address === undefined || isFramed ? undefined : words.signIn}
      onAction={() => address !== undefined && location.assign(address)}
    />
  );
}

/** Sends the user to the login page, unless they just come from there. */
function sendAway(config: PageConfig): "none" | "sent" | undefined {
  const address = loginAddress(config);
  if (address === undefined || isFramed) return "none";
  const sent = Number(tab.getItem(SENT) ?? 0);
  if (Date.now() - sent < SENT_MS) {
    tab.removeItem(SENT);
    return "sent";
  }
  tab.setItem(SENT, String(Date.now()));
  keepCode();
  location.replace(address);
  return undefined;
}

const CODE = "stoa.code";

/** An invite's code stays in this tab while its user logs in: in an address it would end in somebody's log. */
function keepCode(): void {
  if (location.hash.length > 1) tab.setItem(CODE, location.hash.slice(1));
}

function Away() {
  const words = useWords();
  return <Notice title={words.serverAway} text={words.serverAwayWhy} />;
}

/** What the server tells the page; asked until it answers. */
function useConfig(): PageConfig | "away" | undefined {
  const [config, setConfig] = useState<PageConfig | "away">();
  useEffect(() => {
    let handle: ReturnType<typeof setTimeout> | undefined;
    let isGone = false;
    const ask = () =>
      fetchConfig().then(
        (answer) => {
          if (!isGone) setConfig(answer);
        },
        () => {
          if (isGone) return;
          setConfig("away");
          handle = setTimeout(ask, AGAIN_MS);
        },
      );
    void ask();
    return () => {
      isGone = true;
      clearTimeout(handle);
    };
  }, []);
  return config;
}
