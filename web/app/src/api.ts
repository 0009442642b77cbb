// The server's HTTP API, for what has no command: links and bans.
import { type Fault, type Profile, type Role, type RoomKind, StoaError } from "@stoa/client";
import { at } from "./place.ts";

export type LinkState = "open" | "not_yet" | "expired" | "revoked" | "used_up";

/** An invite or a join link, without its code. */
export interface Link {
  id: string;
  role: Role;
  state: LinkState;
  uses?: number;
  used: number;
  created_at: number;
  expires_at?: number;
  /** What the guest is called; join links only. */
  name?: string;
}

export interface InvitePreview {
  state: LinkState;
  room?: string;
  kind?: RoomKind;
  title?: string;
  member_count?: number;
  role?: Role;
  expires_at?: number;
  by?: Profile;
  member?: boolean;
}

export interface LinkPreview {
  state: LinkState;
  not_before?: number;
  expires_at?: number;
  kind?: RoomKind;
  title?: string;
  name?: string;
}

export interface Exchanged {
  token: string;
  expires_at: number;
  room: string;
  user: string;
  name: string;
  guest: string;
}

export interface Ban {
  user: string;
  until?: number;
  reason?: string;
}

/** Calls the API; refusals are `StoaError`s with the codes of the protocol. */
export async function call<Answer>(
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: object,
  token?: string,
): Promise<Answer> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  const response = await fetch(at(path), { method, headers, body: body && JSON.stringify(body) });
  if (response.status === 204) return undefined as Answer;
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as Answer;
  const { code, detail, field, title } = (answer ?? {}) as Partial<Fault> & { detail?: string; title?: string };
  throw new StoaError({
    code: code ?? (response.status === 404 ? "not_found" : "internal"),
    message: detail ?? title ?? `the server answered ${response.status}`,
    field,
  });
}
