import { useEffect, useState } from "react";
import type { InvitePreview } from "./api.ts";
import { Card, Notice } from "./Entry.tsx";
import { linkText } from "./Join.tsx";
import { session as tab } from "./kept.ts";
import { go } from "./place.ts";
import { useSession } from "./session.ts";
import { Name, plain } from "./text.tsx";
import { fullTimeOf } from "./time.ts";
import { faultText, useWords } from "./words/index.ts";

const CODE = "stoa.code";

/** `/invite#CODE`: a room for somebody who has an account. */
export function Invite() {
  const words = useWords();
  const session = useSession();
  // The way to the login page and back has no fragment.
  const [code] = useState(() => location.hash.slice(1) || (tab.getItem(CODE) ?? ""));
  const [preview, setPreview] = useState<InvitePreview | "unknown">();
  const [attempt, setAttempt] = useState(0);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt is another question
  useEffect(() => {
    let isGone = false;
    tab.setItem(CODE, code);
    session.call<InvitePreview>("POST", "v1/invites/preview", { code }).then(
      (answer) => {
        if (!isGone) setPreview(answer);
      },
      (error: { code: string; message: string }) => {
        if (isGone) return;
        if (error.code === "not_found" || error.code === "bad_request") setPreview("unknown");
        else setProblem(faultText(error));
      },
    );
    return () => {
      isGone = true;
    };
  }, [code, session, attempt]);

  const toRooms = () => {
    tab.removeItem(CODE);
    go(undefined, "replace");
  };
  const again = () => {
    setProblem(undefined);
    setAttempt((count) => count + 1);
  };
  if (preview === undefined) {
    if (problem === undefined) return <Notice text={words.loading} isBusy />;
    return <Notice title={words.serverAway} text={problem} action={words.tryAgain} onAction={again} />;
  }
  if (preview === "unknown" || (preview.state !== "open" && !preview.member)) {
    const state = preview === "unknown" ? "unknown" : preview.state;
    const text = state === "unknown" ? words.linkStates.unknown : linkText(state);
    return <Notice title={words.inviteGone} text={text} action={words.toList} onAction={toRooms} />;
  }
  const accept = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      const { room } = await session.call<{ room: string }>("POST", "v1/invites/accept", { code });
      tab.removeItem(CODE);
      go(room, "replace");
    } catch (error) {
      setProblem(faultText(error as { code: string; message: string }));
      setBusy(false);
      setAttempt((count) => count + 1);
    }
  };
  return (
    <Card>
      <p className="muted">{preview.by ? words.invitedBy(plain(preview.by.name)) : words.invited}</p>
      <h1>
        <Name name={preview.title ?? words.aRoom} />
      </h1>
      {preview.member_count !== undefined && <p className="muted">{words.memberCount(preview.member_count)}</p>}
      {preview.member && <p>{words.memberAlready}</p>}
      <button type="button" className="button primary wide" disabled={isBusy} onClick={() => void accept()}>
        {isBusy ? words.entering : words.join}
      </button>
      <button type="button" className="button wide" onClick={toRooms}>
        {words.notNow}
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
