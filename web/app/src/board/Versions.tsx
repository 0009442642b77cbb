// What the document was: versions kept by time and by name, to look at and to set it back to.
import type { DocumentVersion } from "@stoa/client";
import type { SharedDocument, Y } from "@stoa/client/documents";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { Ask, Line, Problem, Sheet } from "../dialogs/parts.tsx";
import { useClientState, useProfiles } from "../hooks.ts";
import { say } from "../told.ts";
import { perLocale } from "../words/index.ts";
import { useDocumentState } from "./documents.ts";
import { TEXT } from "./text.ts";
import { type BoardWords, useBoardWords } from "./words.ts";

const Picture = lazy(() => import("./Picture.tsx"));
const times = perLocale((locale) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }));

interface Props {
  document: SharedDocument;
  kind: string;
  isManager: boolean;
  onClose: () => void;
}

export default function Versions({ document: shared, kind, isManager, onClose }: Props) {
  const words = useBoardWords();
  const { mayEdit } = useDocumentState(shared);
  const { user } = useClientState();
  const [list, setList] = useState<{ versions: DocumentVersion[]; more: boolean }>();
  const [problem, setProblem] = useState<string>();
  const [title, setTitle] = useState("");
  const [isBusy, setBusy] = useState(false);

  const attempt = useCallback(async (work: () => Promise<void>) => {
    setBusy(true);
    setProblem(undefined);
    await work().catch((error: unknown) => setProblem(String((error as Error).message)));
    setBusy(false);
  }, []);
  const load = useCallback(
    (before?: number) =>
      attempt(async () => {
        const page = await shared.versions(before);
        setList((known) =>
          before === undefined || !known ? page : { versions: [...known.versions, ...page.versions], more: page.more },
        );
      }),
    [shared, attempt],
  );
  useEffect(() => void load(), [load]);

  const keep = () =>
    attempt(async () => {
      await shared.keep(title.trim());
      setTitle("");
      say(words.versionKept);
      await load();
    });
  const restore = (version: number) =>
    attempt(async () => {
      await shared.restore(version);
      say(words.restored);
      onClose();
    });
  const remove = (version: number) =>
    attempt(async () => {
      await shared.deleteVersion(version);
      setList((known) => known && { ...known, versions: known.versions.filter((each) => each.version !== version) });
    });
  return (
    <Sheet title={words.versions} onClose={onClose} isWide>
      <p className="muted">{words.versionsWhy}</p>
      {mayEdit && (
        <form
          className="version-keep"
          onSubmit={(event) => {
            event.preventDefault();
            if (title.trim() !== "") void keep();
          }}
        >
          <Line label={words.versionName} value={title} onChange={setTitle} maxLength={100} />
          <button type="submit" className="button primary" disabled={isBusy || title.trim() === ""}>
            {words.keepVersion}
          </button>
        </form>
      )}
      <Problem text={problem && words.failed(problem)} />
      {list?.versions.length === 0 && <p className="muted">{words.noVersions}</p>}
      <ul className="versions" data-testid="versions">
        {list?.versions.map((version) => (
          <Version
            key={version.version}
            shared={shared}
            version={version}
            kind={kind}
            words={words}
            isBusy={isBusy}
            onRestore={mayEdit ? () => void restore(version.version) : undefined}
            onDelete={
              isManager || (mayEdit && version.by !== undefined && version.by === user)
                ? () => void remove(version.version)
                : undefined
            }
          />
        ))}
      </ul>
      {list?.more && (
        <button type="button" className="button" onClick={() => void load(list.versions.at(-1)?.version)}>
          {words.olderVersions}
        </button>
      )}
    </Sheet>
  );
}

interface VersionProps {
  shared: SharedDocument;
  version: DocumentVersion;
  kind: string;
  words: BoardWords;
  isBusy: boolean;
  onRestore: (() => void) | undefined;
  onDelete: (() => void) | undefined;
}

function Version({ shared, version, kind, words, isBusy, onRestore, onDelete }: VersionProps) {
  const nameOf = useProfiles();
  const [doc, setDoc] = useState<Y.Doc>();
  const [problem, setProblem] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const name = version.title || words.reasons[version.reason];
  const show = () => {
    if (doc) return setDoc(undefined);
    shared.preview(version.version).then(setDoc, (error: Error) => setProblem(error.message));
  };
  return (
    <li className="version">
      <div className="version-line">
        <div className="version-text">
          <strong>{name}</strong>
          <span className="muted">
            <time dateTime={new Date(version.at).toISOString()}>{times().format(version.at)}</time>
            {version.by !== undefined && <> · {nameOf(version.by).name}</>}
          </span>
        </div>
        <button type="button" className="button" aria-expanded={doc !== undefined} onClick={show}>
          {doc ? words.hide : words.show}
        </button>
        {onRestore && (
          <button type="button" className="button" title={words.restoreWhy} onClick={onRestore}>
            {words.restore}
          </button>
        )}
        {onDelete && !isAsking && (
          <button
            type="button"
            className="button"
            aria-label={words.deleteVersionOf(name)}
            onClick={() => setAsking(true)}
          >
            {words.deleteVersion}
          </button>
        )}
      </div>
      {onDelete && isAsking && (
        <Ask
          text={words.deleteVersionWhy}
          action={words.deleteVersion}
          isBusy={isBusy}
          onYes={onDelete}
          onNo={() => setAsking(false)}
        />
      )}
      <Problem text={problem && words.failed(problem)} />
      {doc && <Preview shared={shared} doc={doc} kind={kind} words={words} />}
    </li>
  );
}

function Preview({
  shared,
  doc,
  kind,
  words,
}: {
  shared: SharedDocument;
  doc: Y.Doc;
  kind: string;
  words: BoardWords;
}) {
  if (kind === "board") {
    return (
      <Suspense fallback={<p className="muted">{words.opening}</p>}>
        <Picture shared={shared} doc={doc} empty={words.emptyVersion} />
      </Suspense>
    );
  }
  return <pre className="version-text-preview">{doc.getText(TEXT).toString() || words.emptyVersion}</pre>;
}
