// Who uses this page: a token that was handed over in the address, or, on a development server, a name.
import { type Client, connect, NoToken } from "@stoa/client";
import { at } from "./place.ts";

export interface ServerInfo {
  dev: boolean;
  version?: string;
}

export interface Session {
  client: Client;
  /** Whether the user may log out and be somebody else. */
  isOwn: boolean;
}

interface Login {
  name: string;
  user: string;
  token: string;
}

// Per tab, so that two tabs can be two people; a reload stays the same one.
const LOGIN = "stoa.login";
const TOKEN = "stoa.token";

/** What the server says about itself. */
export async function fetchInfo(): Promise<ServerInfo> {
  const response = await fetch(at("v1/info"));
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return (await response.json()) as ServerInfo;
}

/** The session that the address or an earlier load of this tab began; none means that somebody has to say who they are. */
export function resumeSession(info: ServerInfo): Session | undefined {
  const handed = takeFragment() ?? sessionStorage.getItem(TOKEN);
  if (handed !== null) return begin({ token: () => handed }, false);
  const login = info.dev ? readLogin() : undefined;
  return login && begin(withLogin(login), true);
}

/** Becomes somebody by name; development servers only. */
export async function logIn(name: string): Promise<Session> {
  return begin(withLogin(await fetchLogin(name)), true);
}

/** Ends the session of this tab. */
export function logOut(session: Session): void {
  session.client.close();
  sessionStorage.removeItem(LOGIN);
}

function begin(who: { token: Parameters<typeof connect>[0]["token"]; user?: string }, isOwn: boolean): Session {
  const client = connect({ url: at("v1/ws"), ...who, store: sessionStorage, client: "stoa-app/0.1" });
  return { client, isOwn };
}

function withLogin(login: Login) {
  let { token } = login;
  const provide = async (reason: string) => {
    if (reason !== "connect") ({ token } = await fetchLogin(login.name));
    return token;
  };
  return { token: provide, user: login.user };
}

/** A token in the fragment never reaches a server's log; here it leaves the address at once. */
function takeFragment(): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return undefined;
  history.replaceState(null, "", location.pathname + location.search);
  sessionStorage.setItem(TOKEN, token);
  return token;
}

function readLogin(): Login | undefined {
  try {
    const login = JSON.parse(sessionStorage.getItem(LOGIN) ?? "null") as Partial<Login> | null;
    return login?.name && login.user && login.token ? (login as Login) : undefined;
  } catch {
    return undefined;
  }
}

async function fetchLogin(name: string): Promise<Login> {
  const response = await fetch(at("v1/dev/login"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name }),
  });
  if (!response.ok) {
    const problem = (await response.json().catch(() => ({}))) as { detail?: string; title?: string };
    const message = problem.detail ?? problem.title ?? `the server answered ${response.status}`;
    // Only a refusal is final; a server that is away is asked again.
    if (response.status >= 400 && response.status < 500) throw new NoToken(message);
    throw new Error(message);
  }
  const { token, user } = (await response.json()) as { token: string; user: string };
  const login = { name, user, token };
  sessionStorage.setItem(LOGIN, JSON.stringify(login));
  return login;
}
