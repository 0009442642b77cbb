// What stands beside the chat: the room's shared documents, one at a time.
import "./stage.css";
import type { DocumentInfo, Room, RoomState } from "@stoa/client";
import { lazy, Suspense, useState } from "react";
import { useMedia } from "../hooks.ts";
import { IconButton } from "../IconButton.tsx";
import { CloseIcon } from "../icons.tsx";
import { go } from "../place.ts";
import { Asides } from "./Aside.tsx";
import { PHONE, Tabs } from "./DocumentTabs.tsx";
import { useDocument, useDocumentList } from "./documents.ts";
import { Deleted, Pane, Start } from "./Pane.tsx";
import { type Ask, type Sheet, StageTools } from "./StageTools.tsx";
import { Fill } from "./Status.tsx";
import { useShown } from "./shown.ts";
import { FIRST, tabsOf } from "./tabs.ts";
import { useBoardWords } from "./words.ts";

const Versions = lazy(() => import("./Versions.tsx"));
const Rights = lazy(() => import("./Rights.tsx"));
const Create = lazy(() => import("./Create.tsx"));
const Rename = lazy(() => import("./Rename.tsx"));
const Delete = lazy(() => import("./Delete.tsx"));

interface Props {
  room: Room;
  state: RoomState;
  /** The document that the address names. */
  wanted: string | undefined;
}

/** What was asked for of one document; of the next one it is not. */
interface Asked {
  document: string;
  sheet?: Sheet;
  following?: string;
}

/** Every room has it, before any record is known. */
const UNTIL_KNOWN: readonly DocumentInfo[] = [{ document: FIRST, kind: "board", title: "", created_at: 0 }];

export default function Stage({ room, state, wanted }: Props) {
  const words = useBoardWords();
  const list = useDocumentList(room);
  const documents = list?.documents ?? UNTIL_KNOWN;
  const tabs = tabsOf(documents, words);
  const { tab, deleted, expect } = useShown(room.id, tabs, list, wanted);
  const isManager = state.access?.capabilities.includes("manage") ?? false;
  const isFolded = useMedia(PHONE);
  const document = (tab ?? deleted)?.info?.document;
  const shared = useDocument(room.id, document);
  const [isCreating, setCreating] = useState(false);
  const [asked, setAsked] = useState<Asked>();
  const { sheet, following } = asked && asked.document === document ? asked : ({} as Partial<Asked>);

  const change = (next: Partial<Asked>) => document !== undefined && setAsked({ document, sheet, following, ...next });
  const follow = (client: string | undefined) => change({ following: client });
  const close = () => change({ sheet: undefined });
  const ask = (next: Ask) => (next === "create" ? setCreating(true) : change({ sheet: next }));
  const choose = (id: string) =>
    go({ room: room.id, view: "board", document: id === FIRST ? undefined : id }, "replace");

  return (
    <section
      className="stage"
      aria-label={words.documents}
      data-testid="stage"
      data-kind={tab?.kind}
      data-document={document}
    >
      <header className={isManager ? "stage-head managed" : "stage-head"}>
        <Tabs
          tabs={tabs}
          chosen={tab}
          isFolded={isFolded}
          isManager={isManager && list !== undefined}
          onChoose={choose}
          onAsk={ask}
        />
        <div className="stage-tools">
          {shared && tab && (
            <StageTools
              key={shared.name}
              room={room}
              shared={shared}
              tab={tab}
              isManager={isManager}
              isFolded={isFolded}
              following={following}
              onFollow={follow}
              onAsk={(next) => change({ sheet: next })}
            />
          )}
          <span className="stage-close">
            <IconButton label={words.closeBoard} onPress={() => go({ room: room.id })}>
              <CloseIcon />
            </IconButton>
          </span>
        </div>
      </header>
      {shared && tab && <Fill shared={shared} />}
      {shared && tab && <Asides document={shared} kind={tab.kind} />}
      <Pane
        key={document ?? tab?.id}
        tab={tab}
        shared={shared}
        isFolded={isFolded}
        following={following}
        onFollow={follow}
      >
        {deleted && <Deleted shared={shared} tab={deleted} by={deleted.by} onLeave={() => choose(FIRST)} />}
        {list && tab && !tab.info && <Start room={room} tab={tab} isManager={isManager} />}
      </Pane>
      <Suspense fallback={null}>
        {isCreating && (
          <Create
            room={room}
            documents={documents}
            kind={tab?.kind}
            onClose={() => setCreating(false)}
            onMade={(name) => {
              expect(name);
              choose(name);
            }}
          />
        )}
        {list && shared && tab?.info && (
          <>
            {sheet === "rename" && (
              <Rename room={room} documents={documents} info={tab.info} kind={tab.kind} onClose={close} />
            )}
            {sheet === "delete" && <Delete room={room} document={shared} tab={tab} onClose={close} />}
            {sheet === "versions" && (
              <Versions document={shared} kind={tab.kind} isManager={isManager} onClose={close} />
            )}
            {sheet === "rights" && <Rights room={room} state={state} document={shared} onClose={close} />}
          </>
        )}
      </Suspense>
    </section>
  );
}
