import type { TokenProvider } from "./link.ts";

/** The root of the server whose WebSocket is at this address. */
export function httpOf(socket: string | URL): URL {
  const url = new URL(String(socket).replace(/^ws/, "http"));
  url.pathname = url.pathname.replace(/v1\/ws\/?$/, "");
  url.search = "";
  return url;
}

/** Asks with a token, and once more with a new one when the server takes it no more. */
export async function fetchWith(token: TokenProvider, url: URL, init: RequestInit): Promise<Response> {
  const ask = async (reason: "connect" | "expired") => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${await token(reason)}`);
    return fetch(url, { ...init, headers });
  };
  const response = await ask("connect");
  return response.status === 401 ? ask("expired") : response;
}
