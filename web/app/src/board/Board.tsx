// The whiteboard: Excalidraw's component, bound to the room's document.
import "./assets.ts";
import "@excalidraw/excalidraw/index.css";
import "./board.css";
import { Excalidraw, Footer, MainMenu } from "@excalidraw/excalidraw";
import type { ExcalidrawImperativeAPI, UIOptions } from "@excalidraw/excalidraw/types";
import type { SharedDocument } from "@stoa/client/documents";
import { useCallback, useEffect, useRef, useState } from "react";
import { useClientState, useMedia } from "../hooks.ts";
import { useSettings } from "../settings.ts";
import { say } from "../told.ts";
import type { SceneElement } from "./binding/codec.ts";
import { colourOf } from "./colours.ts";
import { useDocumentState } from "./documents.ts";
import { exportBoard } from "./export.ts";
import { RedoIcon, UndoIcon } from "./icons.tsx";
import { Sitting } from "./sitting.ts";
import { isFrench, useBoardWords } from "./words.ts";

/** What would replace the board as a whole, load from elsewhere, or belongs to the page's own settings is not offered. */
const OPTIONS: Partial<UIOptions> = {
  canvasActions: {
    loadScene: false,
    saveToActiveFile: false,
    export: false,
    toggleTheme: false,
    saveAsImage: true,
    clearCanvas: true,
    changeViewBackgroundColor: false,
  },
};

interface Props {
  document: SharedDocument;
  /** Whose view is shown: one of their tabs. */
  following: string | undefined;
  onFollow: (client: string | undefined) => void;
}

export default function Board({ document: shared, following, onFollow }: Props) {
  const words = useBoardWords();
  const state = useDocumentState(shared);
  const { theme } = useSettings();
  const isDark = useMedia("(prefers-color-scheme: dark)");
  const [api, setApi] = useState<ExcalidrawImperativeAPI>();
  const [sitting, setSitting] = useState<Sitting>();
  const [history, setHistory] = useState({ canUndo: false, canRedo: false });
  const [shapes, setShapes] = useState(0);
  const frame = useRef<HTMLDivElement>(null);
  useIntroduction(shared);

  useEffect(() => {
    if (!api) return;
    const begun = new Sitting(shared, api, {
      history: (canUndo, canRedo) => setHistory({ canUndo, canRedo }),
      shapes: setShapes,
      imageFailed: (why) => say(words.imageFailed(why), "problem"),
    });
    setSitting(begun);
    return () => {
      setSitting(undefined);
      begun.end();
    };
  }, [api, shared, words]);

  const { mayEdit } = state;
  // Offline edits are welcome, where the user might edit when last asked.
  useEffect(() => sitting?.setMayEdit(mayEdit), [sitting, mayEdit]);
  useEffect(() => sitting?.follow(following), [sitting, following]);
  // The component draws this button without a name, and anew when its width changes.
  useEffect(() => frame.current?.querySelector(".main-menu-trigger")?.setAttribute("aria-label", words.menu));
  useOwnUndo(frame.current, sitting);
  useScrollOnce(api, state.hasContent);

  const menu = (
    <MainMenu>
      <MainMenu.DefaultItems.SaveAsImage />
      <MainMenu.Item onSelect={() => sitting && api && exportBoard(shared, api.getFiles())}>
        {words.exportJson}
      </MainMenu.Item>
      <MainMenu.DefaultItems.SearchMenu />
      <MainMenu.DefaultItems.Help />
      {mayEdit && <MainMenu.DefaultItems.ClearCanvas />}
    </MainMenu>
  );
  const buttons = mayEdit && sitting && (
    <div className="board-history">
      <HistoryButton label={words.undo} isOff={!history.canUndo} onPress={() => sitting.undo()}>
        <UndoIcon />
      </HistoryButton>
      <HistoryButton label={words.redo} isOff={!history.canRedo} onPress={() => sitting.redo()}>
        <RedoIcon />
      </HistoryButton>
    </div>
  );
  const onApi = useCallback((given: ExcalidrawImperativeAPI) => setApi(given), []);
  return (
    <div
      className="board-frame"
      ref={frame}
      data-testid="board"
      data-shapes={shapes}
      onPointerLeave={() => sitting?.left()}
      // Whoever takes the board in hand looks where they want.
      onPointerDownCapture={() => following !== undefined && onFollow(undefined)}
      onWheelCapture={() => following !== undefined && onFollow(undefined)}
    >
      <Excalidraw
        excalidrawAPI={onApi}
        onChange={(elements, appState, files) =>
          sitting?.changed(elements as unknown as readonly SceneElement[], appState, files)
        }
        onPointerUpdate={({ pointer, button }) => sitting?.pointed(pointer, button)}
        isCollaborating
        viewModeEnabled={!mayEdit}
        langCode={isFrench() ? "fr-FR" : "en"}
        theme={theme === "system" ? (isDark ? "dark" : "light") : theme}
        UIOptions={OPTIONS}
        aiEnabled={false}
        validateEmbeddable={false}
        handleKeyboardGlobally={false}
        autoFocus
        name="board"
      >
        {menu}
        <Footer>{buttons}</Footer>
      </Excalidraw>
      {/* Where the component has no footer: on phones. */}
      <div className="board-floating">{buttons}</div>
    </div>
  );
}

interface HistoryButtonProps {
  label: string;
  isOff: boolean;
  onPress: () => void;
  children: React.ReactNode;
}

function HistoryButton({ label, isOff, onPress, children }: HistoryButtonProps) {
  return (
    <button type="button" title={label} aria-label={label} disabled={isOff} onClick={onPress}>
      {children}
    </button>
  );
}

/** Tells the others in which colour one is here; the name is the server's to tell. */
function useIntroduction(shared: SharedDocument): void {
  const { user = "" } = useClientState();
  useEffect(() => {
    const introduce = () => {
      const { strong, light } = colourOf(user);
      shared.awareness.setLocalStateField("user", { color: strong, colorLight: light });
    };
    introduce();
    return shared.on("doc", introduce);
  }, [shared, user]);
}

/**
 * Undo is this user's own, over the document: the component's knows only its own scene and would take back what others
 * did. It never sees the keys.
 */
function useOwnUndo(frame: HTMLElement | null, sitting: Sitting | undefined): void {
  useEffect(() => {
    if (!frame || !sitting) return;
    const press = (event: KeyboardEvent) => {
      const key = event.key.toLowerCase();
      if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y")) return;
      const target = event.target as HTMLElement;
      // A text that is being written has an undo of its own.
      if (target.closest("textarea, input, [contenteditable=true]")) return;
      event.preventDefault();
      event.stopPropagation();
      if (key === "y" || event.shiftKey) sitting.redo();
      else sitting.undo();
    };
    frame.addEventListener("keydown", press, true);
    return () => frame.removeEventListener("keydown", press, true);
  }, [frame, sitting]);
}

/** Whoever comes in sees what is there, wherever on the endless board it is. */
function useScrollOnce(api: ExcalidrawImperativeAPI | undefined, hasContent: boolean): void {
  const isDone = useRef(false);
  useEffect(() => {
    if (!api || !hasContent || isDone.current) return;
    isDone.current = true;
    const handle = requestAnimationFrame(() => {
      const elements = api.getSceneElements();
      if (elements.length > 0)
        api.scrollToContent(elements, { fitToViewport: true, viewportZoomFactor: 0.9, maxZoom: 1 });
    });
    return () => cancelAnimationFrame(handle);
  }, [api, hasContent]);
}
