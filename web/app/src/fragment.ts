// The token in the address. This module is the page's first, so that nothing else has seen the address by then: a
// fragment reaches no server and no log, but it would stay in the history and in what somebody copies from the bar.

function take(): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return undefined;
  history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}

let token = take();

/** The token that the address held, once. */
export function takeToken(): string | undefined {
  const taken = token;
  token = undefined;
  return taken;
}
