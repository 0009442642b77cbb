// What stands beside the chat: the board, and the shared texts, one at a time.
import "./stage.css";
import type { DocumentInfo, Room, RoomState } from "@stoa/client";
import type { SharedDocument } from "@stoa/client/documents";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { useWork } from "../dialogs/work.ts";
import { IconButton } from "../IconButton.tsx";
import { CloseIcon } from "../icons.tsx";
import { session as kept } from "../kept.ts";
import { go } from "../place.ts";
import { Asides } from "./Aside.tsx";
import { useDocument, useDocumentList, useDocumentState } from "./documents.ts";
import { Here } from "./Here.tsx";
import { HistoryIcon, LockIcon, UnlockIcon } from "./icons.tsx";
import { Language } from "./Language.tsx";
import { type BoardWords, useBoardWords } from "./words.ts";

const Board = lazy(() => import("./Board.tsx"));
const Text = lazy(() => import("./Text.tsx"));
const Versions = lazy(() => import("./Versions.tsx"));
const Rights = lazy(() => import("./Rights.tsx"));

const KINDS = ["board", "notes", "code"] as const;
type Kind = (typeof KINDS)[number];

/** Per tab of the browser: which document was shown last. */
const CHOSEN = "stoa.document";

interface Props {
  room: Room;
  state: RoomState;
}

export default function Stage({ room, state }: Props) {
  const words = useBoardWords();
  const [kind, setKind] = useState<Kind>(() => KINDS.find((each) => each === kept.getItem(CHOSEN)) ?? "board");
  const list = useDocumentList(room);
  const isManager = state.access?.capabilities.includes("manage") ?? false;
  const info = kind === "board" ? undefined : list?.find((document) => document.kind === kind);
  const name = kind === "board" ? "board" : info?.document;
  const choose = (next: Kind) => {
    kept.setItem(CHOSEN, next);
    setKind(next);
  };
  const tabs = (
    <div className="stage-tabs" role="tablist" aria-label={words.documents}>
      {KINDS.map((each) => (
        <button
          key={each}
          type="button"
          role="tab"
          id={`stage-tab-${each}`}
          aria-selected={each === kind}
          aria-controls="stage-pane"
          onClick={() => choose(each)}
        >
          {words[each]}
        </button>
      ))}
    </div>
  );
  return (
    <section className="stage" aria-label={words.documents} data-testid="stage" data-kind={kind}>
      {name !== undefined ? (
        <Pane key={name} room={room} roomState={state} name={name} kind={kind} tabs={tabs} isManager={isManager} />
      ) : (
        <>
          <header className="stage-head">
            {tabs}
            <span className="stage-space" />
            <CloseButton room={room.id} words={words} />
          </header>
          <div className="stage-pane" id="stage-pane" role="tabpanel" aria-labelledby={`stage-tab-${kind}`}>
            {list && kind !== "board" && <Start room={room} kind={kind} list={list} isManager={isManager} />}
          </div>
        </>
      )}
    </section>
  );
}

function CloseButton({ room, words }: { room: string; words: BoardWords }) {
  return (
    <IconButton label={words.closeBoard} onPress={() => go({ room })}>
      <CloseIcon />
    </IconButton>
  );
}

interface PaneProps {
  room: Room;
  roomState: RoomState;
  name: string;
  kind: Kind;
  tabs: ReactNode;
  isManager: boolean;
}

function Pane({ name, ...rest }: PaneProps) {
  const shared = useDocument(rest.room.id, name);
  return shared ? <OpenPane shared={shared} {...rest} /> : null;
}

type OpenPaneProps = Omit<PaneProps, "name"> & { shared: SharedDocument };

function OpenPane({ shared, room, roomState, kind, tabs, isManager }: OpenPaneProps) {
  const words = useBoardWords();
  const state = useDocumentState(shared);
  const [sheet, setSheet] = useState<"versions" | "rights">();
  const { isBusy, run } = useWork();
  const [following, setFollowing] = useState<string>();
  const isLocked = state.info?.locked ?? false;
  const lock = () => void run(() => room.command({ type: "doc.update", document: shared.name, locked: !isLocked }));
  return (
    <>
      <header className="stage-head">
        {tabs}
        <Status shared={shared} isManager={isManager} />
        <span className="stage-space" />
        <Here document={shared} following={following} onFollow={kind === "board" ? setFollowing : undefined} />
        {kind === "code" && <Language shared={shared} />}
        {isManager && (
          <span className="only-wide">
            <IconButton label={isLocked ? words.unlock : words.lock} isPressed={isLocked} isOff={isBusy} onPress={lock}>
              {isLocked ? <LockIcon /> : <UnlockIcon />}
            </IconButton>
          </span>
        )}
        {isManager && state.info && (
          <button type="button" className="button small only-wide" onClick={() => setSheet("rights")}>
            {words.rights}
          </button>
        )}
        {/* On phones the lock is in the sheet. */}
        {isManager && state.info && (
          <span className="only-narrow">
            <IconButton label={words.rights} isPressed={isLocked} onPress={() => setSheet("rights")}>
              {isLocked ? <LockIcon /> : <UnlockIcon />}
            </IconButton>
          </span>
        )}
        <IconButton label={words.versions} onPress={() => setSheet("versions")}>
          <HistoryIcon />
        </IconButton>
        <CloseButton room={room.id} words={words} />
      </header>
      <Fill shared={shared} />
      <Asides document={shared} kind={kind} />
      <div
        className="stage-pane"
        id="stage-pane"
        role="tabpanel"
        aria-labelledby={`stage-tab-${kind}`}
        data-phase={state.phase}
        data-waiting={state.waiting}
      >
        <Content shared={shared} kind={kind} following={following} onFollow={setFollowing} />
      </div>
      <Suspense fallback={null}>
        {sheet === "versions" && (
          <Versions document={shared} kind={kind} isManager={isManager} onClose={() => setSheet(undefined)} />
        )}
        {sheet === "rights" && state.info && (
          <Rights
            room={room}
            state={roomState}
            document={shared}
            info={state.info}
            onClose={() => setSheet(undefined)}
          />
        )}
      </Suspense>
    </>
  );
}

interface ContentProps {
  shared: SharedDocument;
  kind: Kind;
  following: string | undefined;
  onFollow: (client: string | undefined) => void;
}

function Content({ shared, kind, following, onFollow }: ContentProps) {
  const words = useBoardWords();
  const { phase, hasContent, fault, info } = useDocumentState(shared);
  if (phase === "refused") {
    return (
      <div className="stage-empty" role="alert">
        <h3>{words.refused}</h3>
        <p className="muted">{fault?.message}</p>
        <button type="button" className="button" onClick={() => shared.retry()}>
          {words.tryAgain}
        </button>
      </div>
    );
  }
  if (!hasContent) return <Opening text={words.opening} />;
  return (
    <Suspense fallback={<Opening text={words.opening} />}>
      {kind === "board" ? (
        <Board document={shared} following={following} onFollow={onFollow} />
      ) : (
        <Text document={shared} title={info?.title || words[kind]} isCode={kind === "code"} />
      )}
    </Suspense>
  );
}

function Opening({ text }: { text: string }) {
  return <div className="stage-empty muted">{text}</div>;
}

/** Whether everything is kept, and whether one may write. */
function Status({ shared, isManager }: { shared: SharedDocument; isManager: boolean }) {
  const words = useBoardWords();
  const { phase, waiting, mayEdit, hasContent, info } = useDocumentState(shared);
  if (phase === "refused") return null;
  const isAway = phase === "offline" || (phase === "opening" && hasContent);
  const [tone, text] =
    isAway && waiting > 0
      ? ["warn", words.offlineWaiting(waiting)]
      : isAway
        ? ["warn", words.stale]
        : phase !== "open"
          ? ["plain", words.opening]
          : waiting > 0
            ? ["plain", words.saving]
            : ["good", words.saved];
  const isOpen = phase === "open";
  return (
    <p className="stage-status">
      <span className={`stage-saved ${tone}`} role="status" data-testid="saved">
        {text}
      </span>
      {isOpen && !mayEdit && (
        <span className="stage-right" data-testid="right">
          {info?.locked ? words.lockedForMe : words.readOnly}
        </span>
      )}
      {isOpen && mayEdit && info?.locked && isManager && (
        <span className="stage-right" data-testid="right">
          {words.lockedForOthers}
        </span>
      )}
    </p>
  );
}

/** Told before nothing more can be added, and when. */
function Fill({ shared }: { shared: SharedDocument }) {
  const words = useBoardWords();
  const { fill, mayEdit } = useDocumentState(shared);
  if (fill === undefined || !mayEdit) return null;
  return (
    <p className={`stage-fill ${fill >= 100 ? "full" : ""}`} role="status" data-testid="fill">
      {fill >= 100 ? words.full : words.nearlyFull(fill)}
    </p>
  );
}

interface StartProps {
  room: Room;
  kind: "notes" | "code";
  list: readonly DocumentInfo[];
  isManager: boolean;
}

/** There is no such document yet. */
function Start({ room, kind, list, isManager }: StartProps) {
  const words = useBoardWords();
  const { isBusy, problem, run } = useWork();
  const isTaken = list.some(({ document }) => document === kind);
  const start = () => {
    const document = isTaken ? `${kind}-${list.length}` : kind;
    void run(() => room.command({ type: "doc.create", document, kind, title: "" }));
  };
  return (
    <div className="stage-empty">
      <p className="muted">{kind === "notes" ? words.createNotesWhy : words.createCodeWhy}</p>
      {isManager ? (
        <button type="button" className="button primary" disabled={isBusy} onClick={start}>
          {kind === "notes" ? words.createNotes : words.createCode}
        </button>
      ) : (
        <p className="muted">{words.noneYet}</p>
      )}
      {problem !== undefined && <p role="alert">{problem}</p>}
    </div>
  );
}
