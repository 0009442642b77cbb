// Which document is shown: the one that the address names, until it is deleted.
import type { UserId } from "@stoa/client";
import { useEffect, useState } from "react";
import { go } from "../place.ts";
import { say } from "../told.ts";
import { keepChosen } from "./chosen.ts";
import type { DocumentList } from "./documents.ts";
import { FIRST, type Tab, tabFor } from "./tabs.ts";
import { useBoardWords } from "./words.ts";

interface Shown {
  /** None while it is not known, and when it is deleted. */
  tab?: Tab;
  /** What was shown at this address, and is not there any more. */
  deleted?: Tab & { by?: UserId };
  /** Says that a document was just made, which the list will tell of. */
  expect: (document: string) => void;
}

export function useShown(
  room: string,
  tabs: readonly Tab[],
  list: DocumentList | undefined,
  wanted: string | undefined,
): Shown {
  const words = useBoardWords();
  const [expected, setExpected] = useState<string>();
  const [last, setLast] = useState<{ wanted: string | undefined; tab: Tab }>();
  const isFirst = wanted === undefined || wanted === FIRST;
  const before = last?.wanted === wanted ? last?.tab.info : undefined;
  const isDeleted =
    list !== undefined && before !== undefined && !list.documents.some(({ document }) => document === before.document);
  // What is not the first board may be anything until the records are known.
  const tab = isDeleted || (list === undefined && !isFirst) ? undefined : tabFor(tabs, wanted);
  if (tab && (!last || last.wanted !== wanted || last.tab.label !== tab.label || last.tab.info !== tab.info)) {
    setLast({ wanted, tab });
  }
  const isNowhere = list !== undefined && tab === undefined && !isDeleted && wanted !== expected;
  useEffect(() => {
    if (!isNowhere) return;
    say(words.notHere, "problem");
    go({ room, view: "board" }, "replace");
  }, [isNowhere, room, words]);

  const chosen = tab?.id;
  useEffect(() => {
    if (chosen !== undefined) keepChosen(room, chosen === FIRST ? undefined : chosen);
  }, [room, chosen]);

  const deleted = isDeleted && last ? { ...last.tab, by: list.removers.get(last.tab.id) } : undefined;
  return { tab, deleted, expect: setExpected };
}
