import type { HistoryVisibility, RoomInfo, RoomState } from "@stoa/client";
import { useCallback, useEffect, useState } from "react";
import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import { Avatar } from "../Avatar.tsx";
import type { Ban } from "../api.ts";
import { useClient, useProfiles, useRoomState } from "../hooks.ts";
import { go } from "../place.ts";
import { useSession } from "../session.ts";
import { Name } from "../text.tsx";
import { fullTimeOf } from "../time.ts";
import { say } from "../told.ts";
import { faultText, useWords } from "../words/index.ts";
import { Ask, Choose, Line, Problem, Sheet } from "./parts.tsx";
import { useWork } from "./work.ts";

const SLOW_S = [0, 5, 15, 30, 60, 300, 900, 3600];
const RETENTION_DAYS = [0, 7, 30, 90, 365];
const TITLE_CHARS = 100;
const TOPIC_CHARS = 500;

export default function RoomSettings({ id, onClose }: { id: string; onClose: () => void }) {
  const words = useWords();
  const client = useClient();
  const state = useRoomState(client.room(id));
  const can = (what: "manage" | "moderate") => state.access?.capabilities.includes(what) ?? false;
  if (!state.info) return null;
  return (
    <Sheet title={words.roomSettings} onClose={onClose} isWide>
      {can("moderate") ? (
        <Tabs className="tabs">
          <TabList aria-label={words.roomSettings} className="tab-list">
            <Tab id="room" className="tab">
              {words.roomTab}
            </Tab>
            <Tab id="bans" className="tab">
              {words.bans}
            </Tab>
          </TabList>
          <TabPanel id="room" className="stack">
            <Record state={state} info={state.info} mayManage={can("manage")} onClose={onClose} />
          </TabPanel>
          <TabPanel id="bans" className="stack">
            <Bans id={id} />
          </TabPanel>
        </Tabs>
      ) : (
        <Record state={state} info={state.info} mayManage={can("manage")} onClose={onClose} />
      )}
    </Sheet>
  );
}

interface RecordProps {
  state: RoomState;
  info: RoomInfo;
  mayManage: boolean;
  onClose: () => void;
}

function Record({ state, info, mayManage, onClose }: RecordProps) {
  const words = useWords();
  const room = useClient().room(state.room);
  const [title, setTitle] = useState(info.title ?? "");
  const [topic, setTopic] = useState(info.topic ?? "");
  const [slow, setSlow] = useState(String(info.slow_mode_s ?? 0));
  const [history, setHistory] = useState<HistoryVisibility>(info.history ?? "all");
  const [days, setDays] = useState(String(info.retention_days ?? 0));
  const work = useWork();
  const isDirect = info.kind === "direct";
  const isFixed = !mayManage || info.archived === true;

  const save = async () => {
    const change: Record<string, unknown> = {};
    if (title.trim() !== (info.title ?? "")) change.title = title.trim();
    if (topic.trim() !== (info.topic ?? "")) change.topic = topic.trim();
    if (Number(slow) !== (info.slow_mode_s ?? 0)) change.slow_mode_s = Number(slow);
    if (history !== (info.history ?? "all")) change.history = history;
    if (Number(days) !== (info.retention_days ?? 0)) change.retention_days = Number(days);
    if (Object.keys(change).length > 0) {
      if (!(await work.run(() => room.command({ type: "room.update", ...change })))) return;
      say(words.saved);
    }
    onClose();
  };

  return (
    <>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Line label={words.roomName} value={title} onChange={setTitle} maxLength={TITLE_CHARS} isDisabled={isFixed} />
        <Line
          label={words.topic}
          value={topic}
          onChange={setTopic}
          maxLength={TOPIC_CHARS}
          isDisabled={isFixed}
          isLong
        />
        <Choose
          label={words.slowMode}
          value={slow}
          onChange={setSlow}
          isDisabled={isFixed}
          choices={withOwn(SLOW_S, Number(slow)).map((s) => ({ value: String(s), label: words.slowFor(s) }))}
        />
        <Choose
          label={words.history}
          value={history}
          onChange={setHistory}
          isDisabled={isFixed}
          choices={(["all", "since_join"] as const).map((value) => ({ value, label: words.histories[value] }))}
        />
        <Choose
          label={words.retention}
          value={days}
          onChange={setDays}
          isDisabled={isFixed}
          choices={withOwn(RETENTION_DAYS, Number(days)).map((d) => ({ value: String(d), label: words.keptFor(d) }))}
        />
        <Problem text={work.problem} />
        {!isFixed && (
          <div className="dialog-actions">
            <button type="button" className="button" onClick={onClose}>
              {words.cancel}
            </button>
            <button type="submit" className="button primary" disabled={work.isBusy || (!isDirect && !title.trim())}>
              {words.save}
            </button>
          </div>
        )}
      </form>
      <Ends state={state} info={info} mayManage={mayManage} onClose={onClose} />
    </>
  );
}

/** The values, and the room's own when it is another. */
function withOwn(values: readonly number[], own: number): readonly number[] {
  return values.includes(own) ? values : [...values, own].sort((a, b) => a - b);
}

/** Archiving the room, and leaving it. */
function Ends({ state, info, mayManage, onClose }: RecordProps) {
  const words = useWords();
  const room = useClient().room(state.room);
  const [asked, setAsked] = useState<"archive" | "leave">();
  const work = useWork();
  const isArchived = info.archived === true;
  const mayLeave = state.access?.member === true && info.kind !== "direct";

  const archive = async (archived: boolean) => {
    if (!(await work.run(() => room.command({ type: "room.archive", archived })))) return;
    setAsked(undefined);
    say(archived ? words.archivedNow : words.unarchivedNow);
  };
  const leave = async () => {
    if (!(await work.run(() => room.command({ type: "room.leave" })))) return;
    onClose();
    go(undefined);
    say(words.leftNow);
  };

  if (!mayLeave && !mayManage) return null;
  return (
    <section className="ends">
      <Problem text={work.problem} />
      {asked === "archive" && (
        <Ask
          text={words.archiveAsk}
          action={words.archive}
          isBusy={work.isBusy}
          onYes={() => void archive(true)}
          onNo={() => setAsked(undefined)}
        />
      )}
      {asked === "leave" && (
        <Ask
          text={words.leaveAsk}
          action={words.leave}
          isBusy={work.isBusy}
          onYes={() => void leave()}
          onNo={() => setAsked(undefined)}
        />
      )}
      {asked === undefined && (
        <div className="ends-row">
          {mayManage && (
            <button
              type="button"
              className="button"
              disabled={work.isBusy}
              onClick={() => (isArchived ? void archive(false) : setAsked("archive"))}
            >
              {isArchived ? words.unarchive : words.archive}
            </button>
          )}
          {mayLeave && (
            <button type="button" className="button warning" onClick={() => setAsked("leave")}>
              {words.leave}
            </button>
          )}
        </div>
      )}
    </section>
  );
}

const PAGE = 100;

function Bans({ id }: { id: string }) {
  const words = useWords();
  const session = useSession();
  const room = useClient().room(id);
  const nameOf = useProfiles();
  const [bans, setBans] = useState<readonly Ban[]>();
  const [next, setNext] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const work = useWork();

  const load = useCallback(
    async (after?: string) => {
      const query = new URLSearchParams({ limit: String(PAGE), ...(after === undefined ? {} : { after }) });
      try {
        const page = await session.call<{ bans: Ban[]; next?: string }>("GET", `v1/rooms/${id}/bans?${query}`);
        setBans((known) => (after === undefined ? page.bans : [...(known ?? []), ...page.bans]));
        setNext(page.next);
      } catch (error) {
        setProblem(faultText(error as { code: string; message: string }));
      }
    },
    [id, session],
  );
  useEffect(() => void load(), [load]);

  const lift = async (user: string) => {
    if (!(await work.run(() => room.command({ type: "member.unban", user })))) return;
    setBans((known) => known?.filter((ban) => ban.user !== user));
    say(words.unbannedNow(nameOf(user).name));
  };

  return (
    <>
      <Problem text={problem ?? work.problem} />
      {bans?.length === 0 && <p className="muted">{words.noBans}</p>}
      {bans === undefined && problem === undefined && <p className="muted">{words.loading}</p>}
      <ul className="lines">
        {bans?.map(({ user, until, reason }) => (
          <li key={user} className="line">
            <Avatar id={user} profile={nameOf(user)} size="small" />
            <span className="line-text">
              <Name name={nameOf(user).name} />
              <span className="fine">{until === undefined ? words.forEver : words.until(fullTimeOf(until))}</span>
              {reason && <bdi className="fine">{reason}</bdi>}
            </span>
            <button type="button" className="button small" disabled={work.isBusy} onClick={() => void lift(user)}>
              {words.unban}
            </button>
          </li>
        ))}
      </ul>
      {next !== undefined && (
        <button type="button" className="button" onClick={() => void load(next)}>
          {words.more}
        </button>
      )}
    </>
  );
}
