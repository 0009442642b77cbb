import type { Member, Presence, Role } from "@stoa/client";
import { useEffect, useState } from "react";
import { Avatar } from "../Avatar.tsx";
import { useClient, useClientState, useNow, useProfiles, useRoomState } from "../hooks.ts";
import { go } from "../place.ts";
import { useSession } from "../session.ts";
import { Name, plain } from "../text.tsx";
import { ago, fullTimeOf } from "../time.ts";
import { say } from "../told.ts";
import { useWords } from "../words/index.ts";
import { Ask, Choose, Line, Problem, Sheet } from "./parts.tsx";
import { useWork } from "./work.ts";

const ROLES: Role[] = ["host", "member", "viewer"];
const MINUTE = 60_000;
/** Minutes; 0 is without an end. */
const MUTE_MINUTES = [5, 60, 24 * 60, 0];
const BAN_MINUTES = [60, 24 * 60, 7 * 24 * 60, 0];
/** A mute without an end has one that nobody sees. */
const FAR_MS = 100 * 365 * 24 * 60 * MINUTE;
const NEAR_MS = 10 * 365 * 24 * 60 * MINUTE;
const REASON_CHARS = 120;

interface Props {
  room: string;
  user: string;
  onClose: () => void;
}

/** One person in a room: who they are, and what may be done. */
export default function PersonCard({ room: id, user, onClose }: Props) {
  const words = useWords();
  const client = useClient();
  const { user: me } = useClientState();
  const state = useRoomState(client.room(id));
  const nameOf = useProfiles();
  const member = useMember(id, user, state.members);
  const profile = nameOf(user);
  const work = useWork();
  const can = (what: "manage" | "moderate") => state.access?.capabilities.includes(what) ?? false;
  const isDirect = state.info?.kind === "direct";
  const isOther = user !== me;

  const write = async () => {
    await work.run(async () => {
      const room = await client.direct(user);
      onClose();
      go(room);
    });
  };
  return (
    <Sheet title={words.person} onClose={onClose}>
      <div className="person-card">
        <Avatar id={user} profile={profile} size="large" presence={state.presence.get(user)?.state} />
        <h3>
          <Name name={profile.name} />
        </h3>
        <p className="muted">
          {member && words.roles[member.role]}
          <LastSeen presence={state.presence.get(user)} />
        </p>
        {state.presence.get(user)?.text && <bdi>{state.presence.get(user)?.text}</bdi>}
      </div>
      {isOther && !isDirect && (
        <button type="button" className="button primary wide" disabled={work.isBusy} onClick={() => void write()}>
          {words.writeTo}
        </button>
      )}
      <Problem text={work.problem} />
      {isOther && !isDirect && (can("moderate") || can("manage")) && (
        <HostActions
          id={id}
          user={user}
          name={plain(profile.name)}
          member={member}
          mayManage={can("manage")}
          mayModerate={can("moderate")}
          onClose={onClose}
        />
      )}
    </Sheet>
  );
}

function LastSeen({ presence }: { presence: Presence | undefined }) {
  const words = useWords();
  const now = useNow(MINUTE);
  if (!presence) return null;
  if (presence.state !== "offline") return ` · ${words.states[presence.state]}`;
  return presence.last_seen === undefined ? null : ` · ${words.lastSeen(ago(presence.last_seen, now))}`;
}

/** The membership; rooms that are too large to tell all of them are asked for this one. */
function useMember(id: string, user: string, members: readonly Member[]): Member | undefined {
  const session = useSession();
  const [asked, setAsked] = useState<Member>();
  const known = members.find((member) => member.user === user);
  const isKnown = known !== undefined || members.length > 0;
  useEffect(() => {
    if (isKnown) return;
    let isGone = false;
    session.call<Member>("GET", `v1/rooms/${id}/members/${encodeURIComponent(user)}`).then(
      (answer) => {
        if (!isGone) setAsked(answer);
      },
      // Somebody of the audience, who is here without being a member.
      () => {},
    );
    return () => {
      isGone = true;
    };
  }, [session, id, user, isKnown]);
  return known ?? asked;
}

interface HostProps {
  id: string;
  user: string;
  name: string;
  member: Member | undefined;
  mayManage: boolean;
  mayModerate: boolean;
  onClose: () => void;
}

function HostActions({ id, user, name, member, mayManage, mayModerate, onClose }: HostProps) {
  const words = useWords();
  const room = useClient().room(id);
  const [asked, setAsked] = useState<"mute" | "remove" | "ban">();
  const [minutes, setMinutes] = useState("60");
  const [reason, setReason] = useState("");
  const now = useNow(MINUTE);
  const work = useWork();
  const mutedUntil = member?.muted_until !== undefined && member.muted_until > now ? member.muted_until : undefined;
  const until = () => (minutes === "0" ? undefined : Date.now() + Number(minutes) * MINUTE);

  const act = async (frame: Parameters<typeof room.command>[0], told: string, isLast = false) => {
    if (!(await work.run(() => room.command(frame)))) return;
    say(told);
    setAsked(undefined);
    if (isLast) onClose();
  };
  const mute = (mutedTo: number) =>
    act(
      { type: "member.update", user, muted_until: mutedTo },
      mutedTo === 0 ? words.unmutedNow(name) : words.mutedNow(name),
    );

  return (
    <section className="stack ends">
      <Problem text={work.problem} />
      {mayManage && member && asked === undefined && (
        <Choose
          label={words.role}
          value={member.role}
          isDisabled={work.isBusy}
          onChange={(role) => void act({ type: "member.update", user, role }, words.roleNow(name, words.roles[role]))}
          choices={ROLES.map((value) => ({ value, label: words.roles[value], hint: words.roleHints[value] }))}
        />
      )}
      {mutedUntil !== undefined && (
        <p className="fine">
          {mutedUntil - now > NEAR_MS ? words.isMutedForEver : words.isMuted(fullTimeOf(mutedUntil))}
        </p>
      )}
      {asked === "mute" && (
        <Ask
          text={words.muteAsk(name)}
          action={words.mute}
          isBusy={work.isBusy}
          onYes={() => void mute(until() ?? Date.now() + FAR_MS)}
          onNo={() => setAsked(undefined)}
        >
          <Lasting minutes={minutes} choices={MUTE_MINUTES} onChange={setMinutes} />
        </Ask>
      )}
      {asked === "remove" && (
        <Ask
          text={words.kickAsk(name)}
          action={words.kick}
          isBusy={work.isBusy}
          onYes={() => void act({ type: "member.remove", user }, words.kickedNow(name), true)}
          onNo={() => setAsked(undefined)}
        />
      )}
      {asked === "ban" && (
        <Ask
          text={words.banAsk(name)}
          action={words.ban}
          isBusy={work.isBusy}
          onYes={() =>
            void act(
              { type: "member.ban", user, until: until(), reason: reason.trim() || undefined },
              words.bannedNow(name),
              true,
            )
          }
          onNo={() => setAsked(undefined)}
        >
          <Lasting minutes={minutes} choices={BAN_MINUTES} onChange={setMinutes} />
          <Line
            label={words.reason}
            hint={words.reasonHint}
            value={reason}
            onChange={setReason}
            maxLength={REASON_CHARS}
          />
        </Ask>
      )}
      {asked === undefined && mayModerate && (
        <div className="ends-row">
          {member && mutedUntil === undefined && (
            <button type="button" className="button" onClick={() => setAsked("mute")}>
              {words.mute}
            </button>
          )}
          {mutedUntil !== undefined && (
            <button type="button" className="button" disabled={work.isBusy} onClick={() => void mute(0)}>
              {words.unmute}
            </button>
          )}
          {member && (
            <button type="button" className="button warning" onClick={() => setAsked("remove")}>
              {words.kick}
            </button>
          )}
          <button type="button" className="button warning" onClick={() => setAsked("ban")}>
            {words.ban}
          </button>
        </div>
      )}
    </section>
  );
}

interface LastingProps {
  minutes: string;
  choices: readonly number[];
  onChange: (minutes: string) => void;
}

function Lasting({ minutes, choices, onChange }: LastingProps) {
  const words = useWords();
  return (
    <Choose
      label={words.forHowLong}
      value={minutes}
      onChange={onChange}
      choices={choices.map((m) => ({ value: String(m), label: words.lastsFor(m * 60) }))}
    />
  );
}
