import type { RoomState } from "@stoa/client";
import { useEffect } from "react";
import { Avatar } from "../Avatar.tsx";
import { CloseIcon, PinIcon } from "../icons.tsx";
import { Name } from "../text.tsx";
import { briefTime, fullTimeOf } from "../time.ts";
import { useWords } from "../words/index.ts";
import { useChat } from "./chat.ts";
import { Markup } from "./Markup.tsx";
import { Pane } from "./Pane.tsx";
import { findMessage } from "./rows.ts";

interface Props {
  state: RoomState;
  onClose: () => void;
  onGo: (seq: number, thread?: number) => void;
  isSheet: boolean;
}

/** What is pinned, the newest pin first. */
export function PinsPane({ state, onClose, onGo, isSheet }: Props) {
  const words = useWords();
  const { room, rights, nameOf } = useChat();
  const { pins, messages, beside } = state;
  const found = [...pins].reverse().map((seq) => ({ seq, message: findMessage(messages, seq) ?? beside.get(seq) }));

  useEffect(() => {
    for (const { seq, message } of found) if (!message) room.look(seq);
  });

  return (
    <Pane title={words.chat.pinsTitle} onClose={onClose} isSheet={isSheet} testId="pins">
      <div className="pane-body">
        {pins.length === 0 && (
          <div className="pane-empty">
            <PinIcon />
            <strong>{words.chat.pinsEmpty}</strong>
            <p className="muted">{words.chat.pinsEmptyText}</p>
          </div>
        )}
        <ul className="cards">
          {found.map(({ seq, message }) => (
            <li key={seq} className="card">
              {message && (
                <>
                  <div className="card-head">
                    <Avatar id={message.from ?? ""} profile={nameOf(message.from)} size="small" />
                    <Name name={nameOf(message.from).name} />
                    <time className="muted" title={fullTimeOf(message.at)}>
                      {briefTime(message.at, Date.now())}
                    </time>
                    {rights.pin && (
                      <button
                        type="button"
                        className="icon-button small"
                        title={words.chat.unpin}
                        onClick={() => void room.pin(seq, false)}
                      >
                        <CloseIcon />
                        <span className="hidden">{words.chat.unpin}</span>
                      </button>
                    )}
                  </div>
                  <div className="text clamped" dir="auto">
                    <Markup text={message.text} />
                  </div>
                </>
              )}
              <button type="button" className="card-go" onClick={() => onGo(seq, message?.thread)}>
                {words.chat.goThere}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </Pane>
  );
}
