import { useClient, useClientState, useNow } from "./hooks.ts";
import { isFramed } from "./parent.ts";
import { loginAddress, useSession } from "./session.ts";
import { refusalText, retryText, statusText } from "./status.ts";
import { useWords } from "./words/index.ts";

/** Tells how the connection goes while it does not simply work. */
export function Banner() {
  const words = useWords();
  const client = useClient();
  const { config } = useSession();
  const state = useClientState();
  const now = useNow(1_000);
  const { status } = state;
  const isShown = status !== "connected" && status !== "closed";
  const isRefused = status === "refused";
  const mayRetry = isRefused || (status === "offline" && (state.retryAt ?? 0) > now + 1_000);
  const login = isRefused && !isFramed ? loginAddress(config) : undefined;
  return (
    <div className={`banner ${status} ${isShown ? "shown" : ""}`} data-testid="banner">
      {isShown && <span className="banner-dot" />}
      <span role="status">{isShown && (isRefused ? refusalText(state) : statusText(state))}</span>
      {isShown && <span aria-hidden="true">{retryText(state, now)}</span>}
      {isShown && mayRetry && (
        <button type="button" className="link" onClick={() => client.retry()}>
          {isRefused ? words.tryAgain : words.retryNow}
        </button>
      )}
      {login !== undefined && (
        <a className="link" href={login}>
          {words.signIn}
        </a>
      )}
    </div>
  );
}
