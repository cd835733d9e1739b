/** For how long a chunk is recognized as archived already. */

/**
 * Milliseconds that a consumer remembers a lane it no longer hears of, unless it is configured otherwise: longer than
 * a spool, a spilled object or a dead-letter queue lives. An agent that has spilled and `verify` count on the same.
 */
export const DEDUPE_HORIZON_MS = 90 * 86_400_000;
