import { type FormEvent, useEffect, useState } from "react";
import { call, type LinkPreview, type LinkState } from "./api.ts";
import type { PageConfig } from "./config.ts";
import { Card, Notice } from "./Entry.tsx";
import { isKnownCode, joinBy, type Session } from "./session.ts";
import { Name, plain } from "./text.tsx";
import { fullTimeOf } from "./time.ts";
import { currentWords, faultText, useWords } from "./words/index.ts";

const NAME_CHARS = 64;

interface Props {
  config: PageConfig;
  onJoin: (session: Session, room: string) => void;
}

/** `/join#CODE`: a room for somebody without an account. */
export function Join({ config, onJoin }: Props) {
  const words = useWords();
  const code = useCode();
  const [preview, retry] = usePreview(code);
  const [name, setName] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  if (preview === undefined) return <Notice text={words.loading} isBusy />;
  if (preview === "away") {
    return <Notice title={words.serverAway} text={words.serverAwayShort} action={words.tryAgain} onAction={retry} />;
  }
  if (preview === "unknown") return <Notice title={words.linkGone} text={words.linkStates.unknown} />;
  // A guest who was here before is not a new use, and comes in as before.
  const mayReturn = preview.state === "used_up" && isKnownCode(code);
  if (preview.state !== "open" && !mayReturn) {
    return <Notice title={words.linkGone} text={linkText(preview.state, preview.not_before)} />;
  }
  const isAsked = preview.name === undefined && !isKnownCode(code);
  const enter = async (event: FormEvent) => {
    event.preventDefault();
    if (isBusy || (isAsked && !name.trim())) return;
    setBusy(true);
    setProblem(undefined);
    try {
      const { session, room } = await joinBy(config, code, isAsked ? name.trim() : undefined);
      onJoin(session, room);
    } catch (error) {
      setProblem(faultText(error as { code: string; message: string }));
      setBusy(false);
      retry();
    }
  };
  return (
    <Card onSubmit={(event) => void enter(event)}>
      <p className="muted">{words.joinAsGuest}</p>
      <h1>
        <Name name={preview.title ?? words.aRoom} />
      </h1>
      {preview.name !== undefined && <p>{words.joinAs(plain(preview.name))}</p>}
      {isAsked && (
        <label className="field">
          <span>{words.yourName}</span>
          <input
            value={name}
            onChange={(event) => setName(event.target.value)}
            maxLength={NAME_CHARS}
            autoComplete="name"
            // biome-ignore lint/a11y/noAutofocus: one field, one purpose
            autoFocus
            dir="auto"
          />
        </label>
      )}
      <button type="submit" className="button primary wide" disabled={isBusy || (isAsked && !name.trim())}>
        {isBusy ? words.entering : words.join}
      </button>
      {problem !== undefined && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {preview.expires_at !== undefined && <p className="fine">{words.openUntil(fullTimeOf(preview.expires_at))}</p>}
    </Card>
  );
}

/** Why a link opens nothing now. */
export function linkText(state: LinkState, notBefore?: number): string {
  const words = currentWords();
  if (state === "not_yet" && notBefore !== undefined) return words.linkOpens(fullTimeOf(notBefore));
  return words.linkStates[state];
}

function useCode(): string {
  const [code, setCode] = useState(() => location.hash.slice(1));
  useEffect(() => {
    const changed = () => setCode(location.hash.slice(1));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return code;
}

function usePreview(code: string) {
  const [preview, setPreview] = useState<LinkPreview | "away" | "unknown">();
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt is another question
  useEffect(() => {
    let isGone = false;
    const tell = (next: LinkPreview | "away" | "unknown") => {
      if (!isGone) setPreview(next);
    };
    call<LinkPreview>("POST", "v1/links/preview", { code }).then(tell, (error: { code?: string }) =>
      tell(error.code === "not_found" || error.code === "bad_request" ? "unknown" : "away"),
    );
    return () => {
      isGone = true;
    };
  }, [code, attempt]);
  return [preview, () => setAttempt((count) => count + 1)] as const;
}
