const FIRST_MS = 1_000;
const MOST_MS = 30_000;

/**
 * How long to wait before attempt `attempt` (0 is the first after a loss): anything up to a bound that doubles ("full
 * jitter"), so that the clients of a server that died come back spread out.
 */
export function backoff(attempt: number, random: number): number {
  return Math.round(random * Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 10)));
}
