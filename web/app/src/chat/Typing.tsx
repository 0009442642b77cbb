import type { RoomState } from "@stoa/client";
import { useProfiles } from "../hooks.ts";
import { plain } from "../text.tsx";
import { listOf, useWords } from "../words/index.ts";

const NAMED = 3;

/** Who types. The line keeps its place when nobody does, so that nothing jumps. */
export function Typing({ typing }: { typing: RoomState["typing"] }) {
  const words = useWords();
  const nameOf = useProfiles();
  const named = typing.users.slice(0, NAMED).map((user) => plain(nameOf(user).name));
  const more = typing.count - named.length;
  const names = listOf(more > 0 ? [...named, words.others(more)] : named);
  return (
    <div className="typing" aria-live="polite" data-testid="typing">
      {typing.count > 0 && (
        <>
          <span className="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <bdi>{words.typing(names, typing.count)}</bdi>
        </>
      )}
    </div>
  );
}
