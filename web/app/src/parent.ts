// Tokens from the page that shows this one inside of a frame. See docs/embedding.md.
import { NoToken, type TokenReason } from "@stoa/client";
import { mayHandOver, type PageConfig } from "./config.ts";

/** Asked again until answered: the other page may still be loading. */
const AGAIN_MS = 1_000;
const PATIENCE_MS = 15_000;

export const isFramed = window.parent !== window;

/** Asks the parent for a token. */
export function askParent(config: PageConfig, reason: TokenReason): Promise<string> {
  return new Promise((resolve, reject) => {
    // The question holds no secret, and a frame is not told its parent's origin in every browser.
    const ask = () => window.parent.postMessage({ type: "stoa:token-request", reason }, "*");
    const done = () => {
      removeEventListener("message", hear);
      clearInterval(again);
      clearTimeout(late);
    };
    const hear = ({ source, origin, data }: MessageEvent<unknown>) => {
      if (source !== window.parent || !isAnswer(data) || !mayHandOver(config, origin)) return;
      done();
      if (typeof data.token === "string" && data.token !== "") resolve(data.token);
      else reject(new NoToken("the page around this one has no token for you"));
    };
    const again = setInterval(ask, AGAIN_MS);
    const late = setTimeout(() => {
      done();
      reject(new Error("the page around this one does not answer"));
    }, PATIENCE_MS);
    addEventListener("message", hear);
    ask();
  });
}

function isAnswer(data: unknown): data is { type: "stoa:token"; token?: unknown } {
  return typeof data === "object" && data !== null && (data as { type?: unknown }).type === "stoa:token";
}
