import type { CallRecord, Room } from "@stoa/client";
import { useEffect, useState } from "react";
import { useProfiles } from "../hooks.ts";
import { plain } from "../text.tsx";
import { fullTimeOf } from "../time.ts";
import { listOf } from "../words/index.ts";
import type { CallWords } from "./words.ts";

const SHOWN = 10;
const MINUTE = 60_000;

/** The room's earlier calls: who, when, how long, and how it was. */
export function History({ room, running, words }: { room: Room; running: number | undefined; words: CallWords }) {
  const [calls, setCalls] = useState<readonly CallRecord[]>();
  const nameOf = useProfiles();
  const isReady = room.state.phase === "open";

  // biome-ignore lint/correctness/useExhaustiveDependencies: a call that ends or begins is news
  useEffect(() => {
    if (!isReady) return;
    let isGone = false;
    room.client.query({ type: "call.history", room: room.id, limit: SHOWN }).then(
      (reply) => {
        if (!isGone && reply.kind === "calls") setCalls(reply.calls);
      },
      () => {},
    );
    return () => {
      isGone = true;
    };
  }, [room, running, isReady]);

  if (!calls) return null;
  return (
    <section className="call-history" aria-labelledby="call-history" data-testid="call-history">
      <h3 id="call-history">{words.history}</h3>
      {calls.length === 0 && <p className="muted">{words.noHistory}</p>}
      <ul>
        {calls.map((record) => {
          const { call, started_at, participants } = record;
          const names = [...new Set(participants.map(({ user }) => plain(nameOf(user).name)))];
          return (
            <li key={call}>
              <span className="call-history-who">{names.length > 0 ? listOf(names) : "–"}</span>
              <span className="muted">
                {[fullTimeOf(started_at), howOf(record, words)].filter(Boolean).join(" · ")}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function howOf({ started_at, ended_at, reason, participants }: CallRecord, words: CallWords): string {
  if (ended_at === undefined) return words.runs;
  const why = reason === undefined ? "" : words.reasons[reason];
  const verdicts = participants.flatMap(({ quality }) => (quality ? [quality.verdict] : []));
  const worst = (["poor", "fair", "good"] as const).find((verdict) => verdicts.includes(verdict));
  const lasted = why === "" ? words.lasted((ended_at - started_at) / MINUTE) : why;
  return [lasted, worst && words.verdicts[worst]].filter(Boolean).join(" · ");
}
