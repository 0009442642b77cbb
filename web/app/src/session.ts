// Who uses this page. A token comes from the page around this one, from the address, for the code of a join link, or,
// on a development server, for a name.
import { type Client, connect, forgetReplicas, NoToken, type TokenProvider } from "@stoa/client";
import { createContext, useContext } from "react";
import { call, type Exchanged } from "./api.ts";
import type { PageConfig } from "./config.ts";
import { takeToken } from "./fragment.ts";
import { local, session as tab, tabStore } from "./kept.ts";
import { askParent, isFramed } from "./parent.ts";
import { at, read } from "./place.ts";

export interface Session {
  client: Client;
  config: PageConfig;
  /** Whether the user may log out and be somebody else. */
  isOwn: boolean;
  /** Calls the HTTP API as this user. */
  call<Answer>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<Answer>;
}

export const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("there is no session above this component");
  return session;
}

interface Login {
  name: string;
  user: string;
  token: string;
}

/** Somebody without an account, let in by a join link. */
interface Guest {
  code: string;
  secret: string;
  room: string;
  name: string;
}

// Per tab, so that two tabs can be two people; a reload stays the same one. A token that came by the address is kept
// so too: without it every reload would send its user away.
const LOGIN = "stoa.login";
const TOKEN = "stoa.token";
const GUEST = "stoa.guest";
/** Per browser: who comes back by a room's address, which is what people keep, is the same guest. */
const GUESTS = "stoa.guests";
const MOST_GUESTS = 20;

/** The session that the address or an earlier load of this page began; none means that somebody has to say who they are. */
export function resumeSession(config: PageConfig): Session | undefined {
  const handed = takeToken();
  if (handed !== undefined) {
    tab.setItem(TOKEN, handed);
    tab.removeItem(GUEST);
    return begin(config, handedOver(handed), false);
  }
  if (isFramed && config.parent_origins.length > 0) return undefined;
  const kept = tab.getItem(TOKEN);
  if (kept !== null) return begin(config, handedOver(kept), false);
  const guest = knownGuest();
  if (guest) return begin(config, renewing(guest), false);
  const login = config.dev ? parse<Login>(tab.getItem(LOGIN), ["name", "user", "token"]) : undefined;
  return login && begin(config, withLogin(login), true, login.user);
}

/** Takes a token from the page around this one, now and before it expires. */
export async function sessionFromParent(config: PageConfig): Promise<Session> {
  let first: string | undefined = await askParent(config, "connect");
  const provide: TokenProvider = (reason) => {
    const token = first;
    first = undefined;
    return token ?? askParent(config, reason);
  };
  return begin(config, provide, false);
}

/** Becomes somebody by name; development servers only. */
export async function logIn(config: PageConfig, name: string): Promise<Session> {
  const login = await fetchLogin(name);
  return begin(config, withLogin(login), true, login.user);
}

/** Becomes a guest by a join link's code. */
export async function joinBy(
  config: PageConfig,
  code: string,
  name: string | undefined,
): Promise<{ session: Session; room: string }> {
  const known = guests().find((guest) => guest.code === code);
  const answer = await exchange(code, name ?? known?.name, known?.secret);
  const guest = { code, secret: answer.guest, room: answer.room, name: answer.name };
  keepGuest(guest);
  tab.removeItem(TOKEN);
  tab.setItem(GUEST, code);
  return { session: begin(config, renewing(guest, answer.token), false, answer.user), room: answer.room };
}

/** Whether this browser came by this code before. */
export function isKnownCode(code: string): boolean {
  return guests().some((guest) => guest.code === code);
}

/** Ends the session of this tab. What the browser keeps of the user's documents goes with it. */
export function logOut({ client }: Session): void {
  const { user } = client.state;
  client.close();
  tab.removeItem(LOGIN);
  if (user !== undefined) void forgetReplicas(user);
}

/** The login page, which is to come back to this address with a token in its fragment. None when there is none. */
export function loginAddress({ login_url }: PageConfig): string | undefined {
  if (login_url === undefined) return undefined;
  const url = new URL(login_url, location.origin);
  url.searchParams.set("return_to", location.origin + location.pathname);
  return url.href;
}

function begin(config: PageConfig, token: TokenProvider, isOwn: boolean, user?: string): Session {
  let last: string | undefined;
  const provide: TokenProvider = async (reason) => {
    last = await token(reason);
    return last;
  };
  const client = connect({
    url: at("v1/ws"),
    token: provide,
    user,
    store: tabStore,
    device: device(),
    client: "stoa-app/0.1",
  });
  client.on("change", ({ status }) => {
    // A token that is refused is no use after a reload either.
    if (status === "refused") tab.removeItem(TOKEN);
  });
  return {
    client,
    config,
    isOwn,
    call: async (method, path, body) => call(method, path, body, last ?? (await provide("connect"))),
  };
}

const DEVICE = "stoa.device";

/** This tab, the same after a reload: a call then knows that the one from before is gone. It names nobody. */
function device(): string {
  const known = tab.getItem(DEVICE);
  if (known !== null) return known;
  const made = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0"));
  tab.setItem(DEVICE, made.join(""));
  return made.join("");
}

/** One token and no way to another. */
function handedOver(token: string): TokenProvider {
  return (reason) => {
    // Until it expires there is time for the user to come back with another.
    if (reason === "refresh") throw new Error("there is no other token");
    if (reason === "expired" && isOver(token)) throw new NoToken("the token in the address has expired");
    return token;
  };
}

/** Whether a token says of itself that its time is over. */
function isOver(token: string): boolean {
  try {
    const body = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    const { exp } = JSON.parse(atob(body)) as { exp?: unknown };
    return typeof exp === "number" && exp * 1_000 <= Date.now();
  } catch {
    return false;
  }
}

function withLogin(login: Login): TokenProvider {
  let { token } = login;
  return async (reason) => {
    if (reason !== "connect") ({ token } = await fetchLogin(login.name));
    return token;
  };
}

function renewing(guest: Guest, first?: string): TokenProvider {
  let token = first;
  return async (reason) => {
    if (token === undefined || reason !== "connect") {
      token = (await exchange(guest.code, guest.name, guest.secret).catch(final)).token;
    }
    return token;
  };
}

/** A refusal is final; a server that is away is asked again. */
function final(error: unknown): never {
  const code = (error as { code?: string }).code;
  if (code === "not_found" || code === "forbidden" || code === "bad_request" || code === "unauthorized") {
    throw new NoToken((error as Error).message);
  }
  throw error;
}

function exchange(code: string, name: string | undefined, guest: string | undefined): Promise<Exchanged> {
  return call<Exchanged>("POST", "v1/links/exchange", { code, name, guest });
}

function guests(): Guest[] {
  const list = parse<Guest[]>(local.getItem(GUESTS), []) ?? [];
  return Array.isArray(list) ? list : [];
}

function keepGuest(guest: Guest): void {
  const others = guests().filter((other) => other.code !== guest.code);
  local.setItem(GUESTS, JSON.stringify([guest, ...others].slice(0, MOST_GUESTS)));
}

function knownGuest(): Guest | undefined {
  const code = tab.getItem(GUEST);
  const { room } = read(location);
  return guests().find((guest) => guest.code === code) ?? guests().find((guest) => guest.room === room);
}

function parse<Value>(text: string | null, names: (keyof Value & string)[]): Value | undefined {
  try {
    const value = JSON.parse(text ?? "null") as Value | null;
    return value && names.every((name) => value[name]) ? value : undefined;
  } catch {
    return undefined;
  }
}

async function fetchLogin(name: string): Promise<Login> {
  const { token, user } = await call<{ token: string; user: string }>("POST", "v1/dev/login", { name }).catch(final);
  const login = { name, user, token };
  tab.setItem(LOGIN, JSON.stringify(login));
  return login;
}
