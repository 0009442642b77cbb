// What is shown of a document, or in its place.
import type { Room, UserId } from "@stoa/client";
import type { SharedDocument } from "@stoa/client/documents";
import { lazy, type ReactNode, Suspense, useEffect } from "react";
import { useWork } from "../dialogs/work.ts";
import { useProfiles } from "../hooks.ts";
import { plain } from "../text.tsx";
import { say } from "../told.ts";
import { CHOSEN_ID, tabId } from "./DocumentTabs.tsx";
import { useDocumentState } from "./documents.ts";
import type { Tab } from "./tabs.ts";
import { takeAway } from "./takeAway.ts";
import { useBoardWords } from "./words.ts";

const Board = lazy(() => import("./Board.tsx"));
const Text = lazy(() => import("./Text.tsx"));

interface Following {
  following: string | undefined;
  onFollow: (client: string | undefined) => void;
}

interface PaneProps extends Following {
  tab: Tab | undefined;
  shared: SharedDocument | undefined;
  isFolded: boolean;
  /** What is there in the document's place. */
  children: ReactNode;
}

export function Pane({ tab, shared, isFolded, children, ...rest }: PaneProps) {
  const words = useBoardWords();
  const label = tab && { "aria-labelledby": isFolded ? CHOSEN_ID : tabId(tab.id) };
  const isOpen = shared !== undefined && tab !== undefined;
  return (
    <div
      className="stage-pane"
      id="stage-pane"
      // On a phone there are no tabs.
      role={isFolded ? "group" : "tabpanel"}
      {...label}
      aria-busy={tab === undefined || undefined}
    >
      {isOpen ? <Content shared={shared} tab={tab} {...rest} /> : children}
      {tab?.info && !shared && <Opening text={words.opening} />}
    </div>
  );
}

function Content({
  shared,
  tab: { kind, label },
  following,
  onFollow,
}: Following & { shared: SharedDocument; tab: Tab }) {
  const words = useBoardWords();
  const { phase, hasContent, fault } = useDocumentState(shared);
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
        <Text document={shared} title={label} isCode={kind === "code"} />
      )}
    </Suspense>
  );
}

function Opening({ text }: { text: string }) {
  return <div className="stage-empty muted">{text}</div>;
}

interface StartProps {
  room: Room;
  tab: Tab;
  isManager: boolean;
}

/** There is no such document yet. */
export function Start({ room, tab: { id, kind }, isManager }: StartProps) {
  const words = useBoardWords();
  const { isBusy, problem, run } = useWork();
  const start = () => void run(() => room.command({ type: "doc.create", document: id, kind, title: "" }));
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

interface DeletedProps {
  shared: SharedDocument | undefined;
  tab: Tab;
  by: UserId | undefined;
  onLeave: () => void;
}

/** It was deleted while it was shown: told, and left, unless something of one's own would be lost unseen. */
export function Deleted({ shared, ...rest }: DeletedProps) {
  return shared ? <DeletedWith shared={shared} {...rest} /> : null;
}

function DeletedWith({ shared, tab, by, onLeave }: DeletedProps & { shared: SharedDocument }) {
  const words = useBoardWords();
  const nameOf = useProfiles();
  const { waiting } = useDocumentState(shared);
  const title = plain(tab.label);
  const text = by === undefined ? words.deleted(title) : words.deletedBy(title, plain(nameOf(by).name));
  // biome-ignore lint/correctness/useExhaustiveDependencies: said once, in the words of that moment
  useEffect(() => {
    // What was in hand has just become an edit.
    if (shared.state.waiting > 0) return;
    say(text);
    onLeave();
  }, [waiting]);
  if (waiting === 0) return null;
  return (
    <div className="stage-empty" role="alert" data-testid="deleted">
      <h3>{text}</h3>
      <p className="muted">{words.deletedUnsaved(waiting)}</p>
      <div className="row">
        <button type="button" className="button primary" onClick={() => void takeAway(shared, tab.kind)}>
          {words.download}
        </button>
        <button type="button" className="button" onClick={onLeave}>
          {words.toBoard}
        </button>
      </div>
    </div>
  );
}
