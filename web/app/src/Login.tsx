import { type FormEvent, useState } from "react";
import type { PageConfig } from "./config.ts";
import { Card } from "./Entry.tsx";
import { logIn, type Session } from "./session.ts";
import { useWords } from "./words/index.ts";

/** The server's bound of a name is in bytes; this keeps every script below it. */
const NAME_CHARS = 60;

interface Props {
  config: PageConfig;
  onSession: (session: Session) => void;
}

/** The way in on a development server. */
export function Login({ config, onSession }: Props) {
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
      onSession(await logIn(config, name.trim()));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return (
    <Card onSubmit={(event) => void enter(event)}>
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
    </Card>
  );
}
