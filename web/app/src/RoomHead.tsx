import type { RoomState } from "@stoa/client";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { BackIcon, CheckIcon, GearIcon, InviteIcon, LinkIcon, MoreIcon, PeopleIcon } from "./icons.tsx";
import { addressOf, go } from "./place.ts";
import { Name } from "./text.tsx";
import { showDialog } from "./told.ts";
import { useWords } from "./words/index.ts";

interface Props {
  state: RoomState;
  title: string;
  hasPeople: boolean;
  onPeople: () => void;
  /** Buttons that are always there. */
  first: ReactNode;
  /** Buttons that give way to the name where there is no room for both. */
  children?: ReactNode;
}

/** The room's name and topic, and what can be done with all of it. */
export function RoomHead({ state, title, hasPeople, onPeople, first, children }: Props) {
  const words = useWords();
  const isDirect = state.info?.kind === "direct";
  return (
    <header className="room-head">
      <button type="button" className="icon-button only-narrow" title={words.back} onClick={() => go(undefined)}>
        <BackIcon />
        <span className="hidden">{words.back}</span>
      </button>
      <div className="room-head-text">
        <h2>
          <Name name={title} />
        </h2>
        <p className="muted">
          {state.online > 0 && <span data-testid="online">{words.onlineCount(state.online)}</span>}
          {state.info?.topic && <bdi className="topic">{state.info.topic}</bdi>}
        </p>
      </div>
      {first}
      <Folding>
        {children}
        <CopyLink id={state.room} />
        {state.access?.capabilities.includes("invite") && !isDirect && (
          <button
            type="button"
            className="icon-button"
            title={words.invitePeople}
            onClick={() => showDialog({ kind: "invite", room: state.room })}
          >
            <InviteIcon />
            <span className="hidden">{words.invitePeople}</span>
          </button>
        )}
        {state.info && !isDirect && (
          <button
            type="button"
            className="icon-button"
            title={words.roomSettings}
            onClick={() => showDialog({ kind: "room", room: state.room })}
          >
            <GearIcon />
            <span className="hidden">{words.roomSettings}</span>
          </button>
        )}
      </Folding>
      <button
        type="button"
        className="icon-button"
        title={words.people}
        aria-pressed={hasPeople}
        onClick={onPeople}
        data-testid="people-toggle"
      >
        <PeopleIcon />
        <span className="hidden">{words.people}</span>
      </button>
    </header>
  );
}

/** What stands in the head where it is wide, and behind a button where it is not; the style sheet knows which. */
function Folding({ children }: { children: ReactNode }) {
  const words = useWords();
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    const away = ({ target }: Event) => {
      if (!box.current?.contains(target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [isOpen]);
  const onKeyDown = ({ key }: KeyboardEvent) => {
    if (key !== "Escape" || !isOpen) return;
    setOpen(false);
    box.current?.querySelector("button")?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes what is open from wherever the focus is in it.
    <div className="folding" ref={box} onKeyDown={onKeyDown}>
      <button
        type="button"
        className="icon-button unfold"
        title={words.moreHere}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setOpen(!isOpen)}
        data-testid="head-more"
      >
        <MoreIcon />
        <span className="hidden">{words.moreHere}</span>
      </button>
      {/* biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: what is pressed inside closes it. */}
      <div id={id} className={isOpen ? "folded open" : "folded"} onClick={() => setOpen(false)}>
        {children}
      </div>
    </div>
  );
}

function CopyLink({ id }: { id: string }) {
  const words = useWords();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const handle = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(handle);
  }, [isCopied]);
  const url = addressOf(id).href;
  // Pages that are not served over TLS have no clipboard; the address bar shows the same link.
  if (!navigator.clipboard) return null;
  const copy = () =>
    navigator.clipboard.writeText(url).then(
      () => setCopied(true),
      () => {},
    );
  return (
    <button type="button" className="icon-button" title={words.copyLink} onClick={copy}>
      {isCopied ? <CheckIcon /> : <LinkIcon />}
      <span className="hidden" role="status">
        {isCopied ? words.copied : words.copyLink}
      </span>
    </button>
  );
}
