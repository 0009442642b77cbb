// Shared notes and code: CodeMirror over a text of the document.
import { autocompletion, closeBrackets } from "@codemirror/autocomplete";
import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import {
  bracketMatching,
  defaultHighlightStyle,
  HighlightStyle,
  indentOnInput,
  syntaxHighlighting,
} from "@codemirror/language";
import { searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { SharedDocument } from "@stoa/client/documents";
import { useEffect, useRef, useState } from "react";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import * as Y from "yjs";
import { useClientState, useMedia } from "../hooks.ts";
import { useSettings } from "../settings.ts";
import { carets } from "./carets.ts";
import { colourOf } from "./colours.ts";
import { useDoc, useDocumentState } from "./documents.ts";
import { useLanguage } from "./Language.tsx";
import { languageExtension } from "./languages.ts";
import { TEXT } from "./text.ts";
import { useBoardWords } from "./words.ts";

interface Props {
  document: SharedDocument;
  title: string;
  isCode: boolean;
}

export default function Text({ document: shared, title, isCode }: Props) {
  const words = useBoardWords();
  const doc = useDoc(shared);
  const { mayEdit, hasContent } = useDocumentState(shared);
  const { user = "" } = useClientState();
  const isDark = useIsDark();
  const [language] = useLanguage(shared);
  const host = useRef<HTMLDivElement>(null);
  const [parts] = useState(() => ({
    rights: new Compartment(),
    language: new Compartment(),
    theme: new Compartment(),
  }));
  const [view, setView] = useState<EditorView>();
  const label = words.textArea(title);

  useEffect(() => {
    const parent = host.current;
    if (!parent || !hasContent) return;
    const text = doc.getText(TEXT);
    const { strong, light } = colourOf(user);
    shared.awareness.setLocalStateField("user", { color: strong, colorLight: light });
    const undoManager = new Y.UndoManager(text);
    const state = EditorState.create({
      doc: text.toString(),
      extensions: [
        keymap.of([...yUndoManagerKeymap, indentWithTab, ...searchKeymap, ...defaultKeymap]),
        drawSelection(),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label }),
        LOOKS,
        isCode ? CODE : [placeholder(""), NOTES],
        parts.rights.of([]),
        parts.language.of([]),
        parts.theme.of([]),
        yCollab(text, null, { undoManager }),
        carets(text, shared.awareness),
      ],
    });
    // In a shadow tree its styles are adopted sheets, which the content policy lets pass; style elements it does not.
    const root = parent.shadowRoot ?? parent.attachShadow({ mode: "open" });
    const made = new EditorView({ state, root, parent: root });
    setView(made);
    return () => {
      setView(undefined);
      made.destroy();
      undoManager.destroy();
      shared.awareness.setLocalStateField("cursor", null);
    };
  }, [doc, shared, hasContent, user, isCode, label, parts]);

  useEffect(() => {
    const readOnly = [EditorState.readOnly.of(!mayEdit), EditorView.editable.of(mayEdit)];
    view?.dispatch({ effects: parts.rights.reconfigure(readOnly) });
  }, [view, mayEdit, parts]);

  useEffect(() => {
    if (!view) return;
    const style = isDark ? DARK : syntaxHighlighting(defaultHighlightStyle);
    view.dispatch({ effects: parts.theme.reconfigure([EditorView.darkTheme.of(isDark), style]) });
  }, [view, isDark, parts]);

  useEffect(() => {
    let isGone = false;
    void languageExtension(isCode ? language : "markdown").then((extension) => {
      if (!isGone) view?.dispatch({ effects: parts.language.reconfigure(extension) });
    });
    return () => {
      isGone = true;
    };
  }, [view, language, isCode, parts]);

  return <div className="text-frame" ref={host} data-testid="text" data-read-only={!mayEdit} />;
}

function useIsDark(): boolean {
  const { theme } = useSettings();
  const isSystemDark = useMedia("(prefers-color-scheme: dark)");
  return theme === "system" ? isSystemDark : theme === "dark";
}

/** The page's colours reach into the shadow tree as variables. */
const LOOKS: Extension = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "var(--surface)", fontSize: "15px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { lineHeight: "1.6", overflow: "auto" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--soft)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--ink)" },
  ".caret": { position: "relative", borderInlineStart: "2px solid", marginInline: "-1px" },
  ".caret-name": {
    position: "absolute",
    insetInlineStart: "-2px",
    top: "-1.5em",
    padding: "1px 5px",
    borderRadius: "4px 4px 4px 0",
    color: "#fff",
    fontFamily: "var(--font)",
    fontSize: "11px",
    fontWeight: "600",
    lineHeight: "1.3",
    whiteSpace: "nowrap",
    pointerEvents: "none",
    userSelect: "none",
    zIndex: "2",
  },
});
const NOTES: Extension = EditorView.theme({
  ".cm-content": { fontFamily: "var(--font)", padding: "20px 0 40vh", maxWidth: "46rem", margin: "0 auto" },
  ".cm-line": { padding: "0 24px" },
});
const CODE: Extension = [
  lineNumbers(),
  highlightActiveLine(),
  bracketMatching(),
  closeBrackets(),
  autocompletion(),
  indentOnInput(),
  EditorView.theme({
    ".cm-content": { fontFamily: "ui-monospace, 'SF Mono', Menlo, Consolas, monospace", padding: "12px 0 40vh" },
  }),
];
const DARK: Extension = syntaxHighlighting(
  HighlightStyle.define([
    { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "#c99bf0" },
    { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "#9ad28b" },
    { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "#f0b476" },
    { tag: [tags.comment], color: "#8b949e", fontStyle: "italic" },
    { tag: [tags.function(tags.variableName), tags.definition(tags.variableName)], color: "#7db8e0" },
    { tag: [tags.typeName, tags.className, tags.tagName], color: "#7fd1c7" },
    { tag: [tags.propertyName, tags.attributeName], color: "#a8c8e8" },
    { tag: [tags.heading], fontWeight: "bold" },
    { tag: [tags.emphasis], fontStyle: "italic" },
    { tag: [tags.strong], fontWeight: "bold" },
    { tag: [tags.link, tags.url], color: "#7db8e0", textDecoration: "underline" },
  ]),
);
