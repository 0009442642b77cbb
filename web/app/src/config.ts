// What the server tells the page of its configuration.
import { at } from "./place.ts";

export interface PageConfig {
  /** Whether anybody may log in by name. */
  dev: boolean;
  /** Where somebody without a token is sent. */
  login_url?: string;
  /** Whose messages with tokens are believed: origins, some with `*` for the port. */
  parent_origins: readonly string[];
}

function parse(text: string): PageConfig {
  const told = JSON.parse(text) as Partial<PageConfig>;
  return {
    dev: told.dev === true,
    login_url: told.login_url ?? undefined,
    parent_origins: told.parent_origins ?? [],
  };
}

/** From the page itself; a page that another server gave out (`npm run dev`) asks the server. */
export async function fetchConfig(): Promise<PageConfig> {
  const written = document.querySelector<HTMLMetaElement>("meta[name=stoa-config]")?.content;
  if (written !== undefined) return parse(written);
  const response = await fetch(at("v1/info"));
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const { dev } = (await response.json()) as { dev?: boolean };
  return { dev: dev === true, parent_origins: [] };
}

/** Whether a page of this origin may hand tokens over. One of this page's own origin could do anything anyway. */
export function mayHandOver(config: PageConfig, origin: string): boolean {
  if (origin === location.origin) return true;
  return config.parent_origins.some((allowed) => {
    if (!allowed.endsWith(":*")) return origin === allowed;
    const host = allowed.slice(0, -1);
    return origin === host.slice(0, -1) || (origin.startsWith(host) && /^\d+$/.test(origin.slice(host.length)));
  });
}
