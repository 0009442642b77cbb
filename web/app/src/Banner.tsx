import { useClient, useClientState, useNow } from "./hooks.ts";
import { refusalText, retryText, statusText } from "./status.ts";
import { useWords } from "./words/index.ts";

/** Tells how the connection goes while it does not simply work. */
export function Banner() {
  const words = useWords();
  const client = useClient();
  const state = useClientState();
  const now = useNow(1_000);
  const { status } = state;
  const isShown = status !== "connected" && status !== "closed";
  const mayRetry = status === "refused" || (status === "offline" && (state.retryAt ?? 0) > now + 1_000);
  return (
    <div className={`banner ${status} ${isShown ? "shown" : ""}`} data-testid="banner">
      {isShown && <span className="banner-dot" />}
      <span role="status">{isShown && (status === "refused" ? refusalText(state) : statusText(state))}</span>
      {isShown && <span aria-hidden="true">{retryText(state, now)}</span>}
      {isShown && mayRetry && (
        <button type="button" className="link" onClick={() => client.retry()}>
          {status === "refused" ? words.tryAgain : words.retryNow}
        </button>
      )}
    </div>
  );
}
