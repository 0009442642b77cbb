import type { PresenceState, Profile } from "@stoa/client";
import type { CSSProperties } from "react";

interface Props {
  id: string;
  profile: Profile;
  size?: "small" | "large";
  /** Rooms are square, people are round. */
  isRoom?: boolean;
  presence?: PresenceState;
}

/** A picture, or initials on a colour that follows from the id. */
export function Avatar({ id, profile, size, isRoom, presence }: Props) {
  const style = { "--hue": hueOf(id) } as CSSProperties;
  const picture = profile.avatar?.startsWith("https://") ? profile.avatar : undefined;
  return (
    <span className={`avatar ${size ?? ""} ${isRoom ? "square" : ""}`} style={style} aria-hidden="true">
      {picture ? (
        <img src={picture} alt="" referrerPolicy="no-referrer" loading="lazy" />
      ) : (
        <span className="initials">{initialsOf(profile.name)}</span>
      )}
      {presence && <span className={`dot ${presence}`} />}
    </span>
  );
}

/** Letters and digits alone: a name may begin with anything, combining marks and direction marks included. */
export function initialsOf(name: string): string {
  const first = (word: string | undefined) => /[\p{L}\p{N}]/u.exec(word ?? "")?.[0] ?? "";
  const parts = name.split(/[\s._-]+/).filter((word) => first(word) !== "");
  const last = parts.length > 1 ? parts.at(-1) : undefined;
  return (first(parts[0]) + first(last)).toLocaleUpperCase() || "?";
}

/** A hue in degrees, the same for the same id everywhere. FNV-1a, 32 bits. */
function hueOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index += 1) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return (hash >>> 0) % 360;
}
