import type { RoomState, UserId } from "@stoa/client";
import type { CallParticipant, CallState } from "@stoa/client/call";
import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { Avatar } from "../Avatar.tsx";
import { Toggle } from "../dialogs/parts.tsx";
import { useProfiles } from "../hooks.ts";
import { CloseIcon, MoreIcon, MutedIcon } from "../icons.tsx";
import { Name, plain } from "../text.tsx";
import { say } from "../told.ts";
import { currentWords, faultText, useWords } from "../words/index.ts";
import { HandIcon, MicIcon } from "./icons.tsx";
import type { Sitting } from "./sitting.ts";
import { signalOf } from "./state.ts";
import { Bars } from "./Tile.tsx";
import type { CallWords } from "./words.ts";

interface Props {
  sitting: Sitting;
  state: CallState;
  room: RoomState;
  words: CallWords;
  onClose: () => void;
}

/** Says why something did not work. */
export function tried(work: Promise<unknown>): void {
  work.catch((error: unknown) => {
    const fault = error as { code: string; message: string };
    say(currentWords().refusedCommand(faultText(fault)), "problem");
  });
}

/** Who is in the call, who waits, who could be rung; and what a host may do. */
export function CallPeople({ sitting, state, room, words, onClose }: Props) {
  const all = useWords();
  const nameOf = useProfiles();
  const { call: controls } = sitting;
  const { call, participants } = state;
  const isHost = room.access?.capabilities.includes("moderate") ?? false;
  const inCall = new Set(participants.map(({ user }) => user));
  const waiting = call?.waiting ?? [];
  const others = room.members.filter(({ user }) => !inCall.has(user) && !waiting.some((knock) => knock.user === user));
  const nameTag = (user: UserId) => (
    <>
      <Avatar id={user} profile={nameOf(user)} size="small" />
      <Name name={nameOf(user).name} />
    </>
  );
  return (
    <aside
      className="call-panel"
      aria-label={words.people}
      data-testid="call-people"
      onKeyDown={(event) => event.key === "Escape" && !event.defaultPrevented && onClose()}
    >
      <header className="call-panel-head">
        <h2>{words.people}</h2>
        <button type="button" className="icon-button small" title={all.close} onClick={onClose}>
          <CloseIcon />
          <span className="hidden">{all.close}</span>
        </button>
      </header>
      {isHost && (
        <div className="call-powers">
          <Toggle
            label={words.lockCall}
            hint={words.lockCallHint}
            isOn={call?.locked ?? false}
            onChange={(locked) => tried(controls.update({ locked }))}
          />
          <Toggle
            label={words.lobby}
            hint={words.lobbyHint}
            isOn={call?.lobby ?? false}
            onChange={(lobby) => tried(controls.update({ lobby }))}
          />
          <button
            type="button"
            className="button small"
            onClick={() => tried(controls.mute(undefined, "microphone", "muted"))}
          >
            {words.muteAll}
          </button>
        </div>
      )}
      {waiting.length > 0 && (
        <section>
          <h3>{words.waiting}</h3>
          <ul>
            {waiting.map(({ user, session }) => (
              <li key={session} className="call-person" data-testid="knock">
                {nameTag(user)}
                {isHost && (
                  <span className="call-person-actions">
                    <button type="button" className="button small primary" onClick={() => tried(controls.admit(user))}>
                      {words.admit}
                    </button>
                    <button type="button" className="button small" onClick={() => tried(controls.refuse(user))}>
                      {words.refuse}
                    </button>
                  </span>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h3>{words.inCall}</h3>
        <ul>
          {participants.map((participant) => (
            <li
              key={participant.session}
              className="call-person"
              data-testid="call-person"
              data-user={participant.user}
            >
              {nameTag(participant.user)}
              <span className="call-person-state">
                {participant.hand !== undefined && <HandIcon />}
                {(participant.tracks.get("microphone")?.muted ?? true) ? <MutedIcon /> : <MicIcon />}
                {!participant.isMe && <Bars signal={signalOf(participant, words)} />}
              </span>
              {isHost && !participant.isMe && (
                <Powers sitting={sitting} participant={participant} state={state} words={words} />
              )}
            </li>
          ))}
        </ul>
      </section>
      {others.length > 0 && (
        <section>
          <h3>{words.notInCall}</h3>
          <ul>
            {others.map(({ user }) => {
              const isRinging = call?.ringing?.includes(user) ?? false;
              return (
                <li key={user} className="call-person">
                  {nameTag(user)}
                  <button
                    type="button"
                    className="button small"
                    disabled={isRinging}
                    onClick={() => tried(controls.ring([user]))}
                  >
                    {isRinging ? words.rings : words.ring}
                  </button>
                </li>
              );
            })}
          </ul>
        </section>
      )}
    </aside>
  );
}

interface PowersProps {
  sitting: Sitting;
  participant: CallParticipant;
  state: CallState;
  words: CallWords;
}

function Powers({ sitting, participant, state, words }: PowersProps) {
  const nameOf = useProfiles();
  const { user, session, hand } = participant;
  const { call: controls } = sitting;
  const isLocked = state.call?.mute_locks?.some((lock) => lock.user === user && lock.source === "microphone") ?? false;
  return (
    <MenuTrigger>
      <Button className="icon-button small" aria-label={words.actions(plain(nameOf(user).name))}>
        <MoreIcon />
      </Button>
      <Popover className="menu" placement="bottom end">
        <Menu>
          <MenuItem className="menu-item" onAction={() => tried(controls.mute([user], "microphone", "muted"))}>
            {words.muteThem}
          </MenuItem>
          <MenuItem
            className="menu-item"
            onAction={() => tried(controls.mute([user], "microphone", isLocked ? "free" : "locked"))}
          >
            {isLocked ? words.freeThem : words.lockThem}
          </MenuItem>
          {hand !== undefined && (
            <MenuItem className="menu-item" onAction={() => tried(controls.hand(false, session))}>
              {words.lowerThem}
            </MenuItem>
          )}
          <MenuItem className="menu-item danger" onAction={() => tried(controls.remove(user))}>
            {words.removeThem}
          </MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
