import type { CallParticipant } from "@stoa/client/call";
import { Avatar } from "../Avatar.tsx";
import { useProfiles } from "../hooks.ts";
import { MutedIcon } from "../icons.tsx";
import { Name, plain } from "../text.tsx";
import { HandIcon, ScreenIcon } from "./icons.tsx";
import { Picture } from "./Picture.tsx";
import { type Signal, signalOf } from "./state.ts";
import type { CallWords } from "./words.ts";

interface Props {
  participant: CallParticipant;
  words: CallWords;
  /** Which raised hand it is, from 1. */
  hand: number | undefined;
  isLarge?: boolean;
}

/** Somebody in the call: their picture or initials, and how they do. */
export function Tile({ participant, words, hand, isLarge }: Props) {
  const nameOf = useProfiles();
  const { user, session, isMe, tracks, connection, isSpeaking } = participant;
  const profile = nameOf(user);
  const camera = tracks.get("camera");
  const isMuted = tracks.get("microphone")?.muted ?? true;
  const trouble = connectionText(participant, words);
  const said = [
    isMe ? `${plain(profile.name)} (${words.you})` : plain(profile.name),
    isMuted ? words.isMuted : undefined,
    hand === undefined ? undefined : words.handUp,
    trouble,
  ];
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields
    <div
      role="group"
      aria-label={said.filter(Boolean).join(", ")}
      className={`tile ${isSpeaking && !isMuted ? "speaking" : ""} ${isLarge ? "large" : ""}`}
      data-testid="tile"
      data-user={user}
      data-session={session}
      data-connection={isMe ? "me" : connection}
      data-muted={isMuted}
    >
      <Avatar id={user} profile={profile} size="large" />
      {camera?.media && !camera.muted && <Picture track={camera.media} isMirrored={isMe} isRemote={!isMe} />}
      {trouble !== undefined && <p className="tile-trouble">{trouble}</p>}
      {hand !== undefined && (
        <span className="tile-hand" title={words.handUp}>
          <HandIcon />
          {hand}
        </span>
      )}
      {!isMe && <Bars signal={signalOf(participant, words)} />}
      <span className="tile-name" aria-hidden="true">
        {isMuted && <MutedIcon />}
        <Name name={profile.name} />
        {isMe && <span> ({words.you})</span>}
      </span>
    </div>
  );
}

function connectionText({ isMe, connection }: CallParticipant, words: CallWords): string | undefined {
  if (isMe) return undefined;
  switch (connection) {
    case "connected":
      return undefined;
    case "interrupted":
      return words.interrupted;
    case "failed":
      return words.failed;
    case "connecting":
    case undefined:
      return words.connecting;
  }
}

/** How good the way is: bars to see, words to hear, and all of it in the tip. */
export function Bars({ signal }: { signal: Signal }) {
  return (
    <span
      className={`bars ${signal.bars}`}
      role="img"
      aria-label={signal.lines.join(", ")}
      title={signal.lines.join("\n")}
    >
      <i />
      <i />
      <i />
    </span>
  );
}

/** A shared screen. */
export function ScreenTile({ participant, words }: { participant: CallParticipant; words: CallWords }) {
  const nameOf = useProfiles();
  const name = plain(nameOf(participant.user).name);
  const track = participant.tracks.get("screen")?.media;
  const label = participant.isMe ? words.yourScreen : words.theirScreen(name);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields
    <div
      role="group"
      aria-label={label}
      className="tile screen large"
      data-testid="screen"
      data-user={participant.user}
    >
      {track && <Picture track={track} isWhole isRemote={!participant.isMe} />}
      <span className="tile-name" aria-hidden="true">
        <ScreenIcon />
        <span>{label}</span>
      </span>
    </div>
  );
}
