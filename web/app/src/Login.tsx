import { type FormEvent, useState } from "react";
import { Logo } from "./icons.tsx";
import { logIn, type Session } from "./session.ts";
import { useWords } from "./words/index.ts";

/** The server's bound of a name is in bytes; this keeps every script below it. */
const NAME_CHARS = 60;

export function Login({ onSession }: { onSession: (session: Session) => void }) {
  const words = useWords();
  const [name, setName] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  const enter = async (event: FormEvent) => {
    event.preventDefault();
    if (!name.trim() || isBusy) return;
    setBusy(true);
    setProblem(undefined);
    try {
      onSession(await logIn(name.trim()));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return (
    <main className="login">
      <form className="login-card" onSubmit={enter}>
        <Logo className="login-logo" />
        <h1>Stoa</h1>
        <p className="muted">{words.tagline}</p>
        <label className="field">
          <span>{words.yourName}</span>
          <input
            value={name}
            onChange={(event) => setName(event.target.value)}
            maxLength={NAME_CHARS}
            autoComplete="nickname"
            // The page has nothing else to do.
            // biome-ignore lint/a11y/noAutofocus: one field, one purpose
            autoFocus
            dir="auto"
          />
        </label>
        <button type="submit" className="button primary wide" disabled={!name.trim() || isBusy}>
          {isBusy ? words.entering : words.enter}
        </button>
        {problem !== undefined && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <p className="fine">{words.devNote}</p>
      </form>
    </main>
  );
}
