/** Which keys of agent.yaml changed, and which of them can be reloaded while the agent runs. */
import { isDeepStrictEqual } from 'node:util';
import type { AgentConfig } from '../config.ts';

export const RELOADABLE: ReadonlySet<string> = new Set(['log_level', 'seal', 'send', 'stop_timeout']);

/** The top-level keys whose values differ. */
export function changedKeys(before: AgentConfig, after: AgentConfig): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof AgentConfig>;
  return [...keys].filter((key) => !isDeepStrictEqual(before[key], after[key]));
}
