// What the stage has tabs for, what they are called, and which one an address means.
import type { DocumentInfo } from "@stoa/client";
import { expect, test } from "vitest";
import { labelFor, newName, tabFor, tabsOf } from "../src/board/tabs.ts";

const WORDS = { board: "Board", notes: "Notes", code: "Code" };

/** A record; of two the later one in a list is the younger one. */
const records = (...all: [document: string, kind: string, title?: string][]) =>
  all.map(([document, kind, title], at) => ({ document, kind, title, created_at: at }) as DocumentInfo);
const shown = (list: readonly DocumentInfo[]) => tabsOf(list, WORDS).map(({ id, label }) => [id, label]);

test("a room with nothing but its board offers notes and code to begin", () => {
  const tabs = tabsOf(records(["board", "board"]), WORDS);
  expect(tabs.map(({ id, kind, label, info }) => [id, kind, label, info !== undefined])).toEqual([
    ["board", "board", "Board", true],
    ["notes", "notes", "Notes", false],
    ["code", "code", "Code", false],
  ]);
});

test("tabs stand by age behind the first board, without what the page cannot show, and what is to begin at the end", () => {
  const list = records(
    ["sheet", "other", "Grades"],
    ["zoo", "board", "Animals"],
    ["plan", "notes", "Plan"],
    ["board", "board"],
    ["art", "board", "Art"],
  );
  expect(shown([...list].reverse())).toEqual([
    ["board", "Board"],
    ["zoo", "Animals"],
    ["plan", "Plan"],
    ["art", "Art"],
    ["code", "Code"],
  ]);
});

test("what has no title is numbered, and never has the name that somebody gave to another", () => {
  const list = records(
    ["board", "board"],
    ["b1", "board", "  "],
    ["b2", "board", "Board 3"],
    ["b3", "board"],
    ["n1", "notes", "Notes"],
    ["n2", "notes"],
  );
  expect(
    shown(list)
      .slice(0, 6)
      .map(([, label]) => label),
  ).toEqual(["Board", "Board 2", "Board 3", "Board 4", "Notes", "Notes 2"]);
  expect(labelFor("board", list, WORDS)).toBe("Board 5");
  expect(labelFor("notes", list, WORDS)).toBe("Notes 3");
  expect(labelFor("code", list, WORDS)).toBe("Code");
});

test("an address names a document, or the first of a kind, begun or not", () => {
  const tabs = tabsOf(records(["board", "board"], ["minutes", "notes"], ["draft", "notes"]), WORDS);
  const found = (wanted?: string) => tabFor(tabs, wanted)?.id;
  expect(found()).toBe("board");
  expect(found("draft")).toBe("draft");
  expect(found("notes")).toBe("minutes");
  expect(found("code")).toBe("code");
  expect(found("gone")).toBeUndefined();
});

test("notes to begin take no name that another document has", () => {
  const list = records(["board", "board"], ["notes", "code"], ["notes-2", "other"]);
  expect(shown(list)).toEqual([
    ["board", "Board"],
    ["notes", "Code"],
    ["notes-3", "Notes"],
  ]);
});

test("new names are legal ones of an even length, for the smallest numbers too", () => {
  expect(newName("board", new Uint32Array([0, 2 ** 32 - 1]))).toBe("board-00000001z141z3");
});
