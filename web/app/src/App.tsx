import { useEffect, useState } from "react";
import { ClientContext } from "./hooks.ts";
import { Logo } from "./icons.tsx";
import { Login } from "./Login.tsx";
import { Shell } from "./Shell.tsx";
import { fetchInfo, logOut, resumeSession, type ServerInfo, type Session } from "./session.ts";
import { useWords } from "./words/index.ts";

const AGAIN_MS = 2_000;

export function App() {
  const words = useWords();
  const info = useInfo();
  const [session, setSession] = useState<Session>();
  const [isAsked, setAsked] = useState(false);

  useEffect(() => {
    if (info === undefined || info === "away") return;
    setSession((known) => known ?? resumeSession(info));
    setAsked(true);
  }, [info]);

  if (session) {
    const leave = () => {
      logOut(session);
      setSession(undefined);
    };
    return (
      <ClientContext value={session.client}>
        <Shell onLogOut={session.isOwn ? leave : undefined} />
      </ClientContext>
    );
  }
  if (info === "away") return <Notice title={words.serverAway} text={words.serverAwayWhy} />;
  if (!isAsked || info === undefined) return null;
  if (info.dev) return <Login onSession={setSession} />;
  return <Notice title={words.noToken} text={words.noTokenWhy} />;
}

/** What the server says of itself; asked until it answers. */
function useInfo(): ServerInfo | "away" | undefined {
  const [info, setInfo] = useState<ServerInfo | "away">();
  useEffect(() => {
    let handle: ReturnType<typeof setTimeout> | undefined;
    let isGone = false;
    const ask = () =>
      fetchInfo().then(
        (answer) => {
          if (!isGone) setInfo(answer);
        },
        () => {
          if (isGone) return;
          setInfo("away");
          handle = setTimeout(ask, AGAIN_MS);
        },
      );
    void ask();
    return () => {
      isGone = true;
      clearTimeout(handle);
    };
  }, []);
  return info;
}

function Notice({ title, text }: { title: string; text: string }) {
  return (
    <main className="login">
      <div className="login-card">
        <Logo className="login-logo" />
        <h1>{title}</h1>
        <p className="muted">{text}</p>
      </div>
    </main>
  );
}
