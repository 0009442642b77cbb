// The room's documents, to choose from: tabs where there is room, a menu on phones and where there are too many.
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import { Button, Menu, MenuItem, MenuSection, MenuTrigger, Popover, Separator } from "react-aria-components";
import { BoardIcon, CheckIcon, ChevronIcon, CodeIcon, PlusIcon } from "../icons.tsx";
import { Name, plain } from "../text.tsx";
import { NotesIcon } from "./icons.tsx";
import { ActionItem, type Ask } from "./StageTools.tsx";
import { FIRST, type Kind, type Tab } from "./tabs.ts";
import { type BoardWords, useBoardWords } from "./words.ts";

/** Widths at which tabs would leave no room for anything else. */
export const PHONE = "(max-width: 599px)";
/** Of what stands for the tabs on a phone. */
export const CHOSEN_ID = "stage-chosen";
const PANE_ID = "stage-pane";
/** Widths are measured in fractions of pixels, and told in whole ones. */
const ROUNDING_PX = 1;

export const tabId = (id: string) => `stage-tab-${id}`;

const ICONS: Record<Kind, () => ReactNode> = { board: BoardIcon, notes: NotesIcon, code: CodeIcon };

export function KindIcon({ kind }: { kind: Kind }) {
  const Icon = ICONS[kind];
  return <Icon />;
}

interface Props {
  tabs: readonly Tab[];
  chosen: Tab | undefined;
  isFolded: boolean;
  isManager: boolean;
  onChoose: (id: string) => void;
  onAsk: (what: Ask) => void;
}

export function Tabs(props: Props) {
  return props.isFolded ? <Folded {...props} /> : <Strip {...props} />;
}

/** Tabs by the pattern of WAI-ARIA: arrows move the focus, and Enter opens, because opening asks the server. */
function Strip({ tabs, chosen, isManager, onChoose, onAsk }: Props) {
  const words = useBoardWords();
  const strip = useRef<HTMLDivElement>(null);
  const hidden = useHidden(strip, tabs);
  useChosenInView(strip, chosen);
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>("[role=tab]")];
    const next = nextOf(event.key, all.indexOf(event.target as HTMLElement), all.length);
    if (next === undefined) return;
    event.preventDefault();
    all[next]?.focus();
  };
  // Where none is chosen, the first one takes the focus.
  const inOrder = chosen ?? tabs[0];
  return (
    <div className="stage-documents">
      <div
        ref={strip}
        className="stage-tabs"
        role="tablist"
        aria-label={words.documents}
        data-hidden={hidden}
        onKeyDown={onKeyDown}
      >
        {tabs.map((tab) => (
          <button
            key={tab.id}
            type="button"
            role="tab"
            id={tabId(tab.id)}
            title={plain(tab.label)}
            aria-selected={tab.id === chosen?.id}
            aria-controls={PANE_ID}
            tabIndex={tab.id === inOrder?.id ? 0 : -1}
            onClick={() => onChoose(tab.id)}
          >
            <KindIcon kind={tab.kind} />
            <Name name={tab.label} />
            <KindWord tab={tab} words={words} />
          </button>
        ))}
      </div>
      {hidden !== undefined && (
        <MenuTrigger>
          <Button className="icon-button small stage-all" aria-label={words.allDocuments}>
            <ChevronIcon />
          </Button>
          <Popover className="popover" placement="bottom end" offset={4}>
            <Menu className="menu stage-menu" aria-label={words.allDocuments}>
              {documentItems(tabs, chosen, words, onChoose)}
            </Menu>
          </Popover>
        </MenuTrigger>
      )}
      {isManager && (
        <button
          type="button"
          className="icon-button small"
          title={words.newDocument}
          aria-label={words.newDocument}
          onClick={() => onAsk("create")}
        >
          <PlusIcon />
        </button>
      )}
    </div>
  );
}

function Folded({ tabs, chosen, isManager, onChoose, onAsk }: Props) {
  const words = useBoardWords();
  const actions = [
    ...when(isManager, "create"),
    ...when(isManager && chosen?.info, "rename", "rights"),
    ...when(chosen?.info, "versions"),
    // Every room has its first board.
    ...when(isManager && chosen?.info && chosen.id !== FIRST, "delete"),
  ];
  return (
    <MenuTrigger>
      <Button
        className="stage-chosen"
        id={CHOSEN_ID}
        aria-label={chosen ? words.shownDocument(plain(chosen.label), words[chosen.kind]) : words.documents}
      >
        {chosen && <KindIcon kind={chosen.kind} />}
        <Name name={chosen?.label ?? words.documents} />
        <ChevronIcon />
      </Button>
      <Popover className="popover" placement="bottom start" offset={4}>
        <Menu className="menu stage-menu" aria-label={words.documents}>
          {documentItems(tabs, chosen, words, onChoose)}
          {(isManager || chosen?.info) && <Separator className="stage-menu-line" />}
          {actions.map((action) => (
            <ActionItem key={action} action={action} words={words} onAsk={onAsk} />
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

function when(is: unknown, ...actions: Ask[]): Ask[] {
  return is ? actions : [];
}

function documentItems(
  tabs: readonly Tab[],
  chosen: Tab | undefined,
  words: BoardWords,
  onChoose: (id: string) => void,
) {
  return (
    <MenuSection
      aria-label={words.documents}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={chosen ? [chosen.id] : []}
    >
      {tabs.map((tab) => (
        <MenuItem
          key={tab.id}
          id={tab.id}
          className="menu-item"
          textValue={plain(tab.label)}
          onAction={() => onChoose(tab.id)}
        >
          <KindIcon kind={tab.kind} />
          <Name name={tab.label} />
          <KindWord tab={tab} words={words} />
          {tab.id === chosen?.id && (
            <span className="stage-menu-check">
              <CheckIcon />
            </span>
          )}
        </MenuItem>
      ))}
    </MenuSection>
  );
}

/** The icon's meaning, for those who do not see it. */
function KindWord({ tab, words }: { tab: Tab; words: BoardWords }) {
  if (!tab.info?.title) return null;
  return <span className="hidden">({words[tab.kind]})</span>;
}

function nextOf(key: string, at: number, count: number): number | undefined {
  if (at < 0) return undefined;
  switch (key) {
    case "ArrowRight":
      return (at + 1) % count;
    case "ArrowLeft":
      return (at + count - 1) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return undefined;
  }
}

type Hidden = "start" | "end" | "both" | "none";

/** At which ends tabs are out of sight; nothing where all have room. */
function useHidden(strip: React.RefObject<HTMLDivElement | null>, tabs: readonly Tab[]): Hidden | undefined {
  const [hidden, setHidden] = useState<Hidden>();
  const labels = tabs.map(({ label }) => label).join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: other labels take other room, and no box tells of it
  useEffect(() => {
    const box = strip.current;
    if (!box) return;
    const look = () => {
      const rest = box.scrollWidth - box.clientWidth;
      if (rest <= ROUNDING_PX) return setHidden(undefined);
      const [before, after] = [box.scrollLeft > ROUNDING_PX, box.scrollLeft < rest - ROUNDING_PX];
      setHidden(before && after ? "both" : before ? "start" : after ? "end" : "none");
    };
    look();
    const sizes = new ResizeObserver(look);
    sizes.observe(box);
    box.addEventListener("scroll", look, { passive: true });
    return () => {
      sizes.disconnect();
      box.removeEventListener("scroll", look);
    };
  }, [strip, labels]);
  return hidden;
}

function useChosenInView(strip: React.RefObject<HTMLDivElement | null>, chosen: Tab | undefined): void {
  const id = chosen?.id;
  useLayoutEffect(() => {
    if (id === undefined) return;
    const tab = strip.current?.querySelector("[role=tab][aria-selected=true]");
    tab?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [strip, id]);
}
