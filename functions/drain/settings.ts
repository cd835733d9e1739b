/** The settings of the drain functions, from their environment. */
import * as z from 'zod/mini';
import { readEnvironment, seconds, wholeNumber } from '../runtime/environment.ts';
import type { Policy } from './decision.ts';

const schema = z.object({
  DOCUMENT_NAME: z.string().check(z.minLength(1)),
  HOOK_NAME: z.string().check(z.minLength(1)),
  /** See Policy. */
  BUDGET_SECONDS: seconds,
  MAX_SENDS: wholeNumber,
  /** Seconds that Systems Manager tries to reach the agent. */
  DELIVERY_SECONDS: seconds,
  ALERT_TOPIC_ARN: z.string().check(z.minLength(1)),
});

/** Milliseconds in which the SSM agent of an instance that has just begun to run registers. */
const REGISTRATION_MS = 300_000;

export interface DrainSettings extends Policy {
  readonly document: string;
  readonly hook: string;
  /** Seconds. */
  readonly deliverySeconds: number;
  readonly alertTopic: string;
}

export function drainSettings(): DrainSettings {
  const env = readEnvironment(schema);
  return {
    document: env.DOCUMENT_NAME,
    hook: env.HOOK_NAME,
    budget: env.BUDGET_SECONDS * 1000,
    maxSends: env.MAX_SENDS,
    registration: REGISTRATION_MS,
    deliverySeconds: env.DELIVERY_SECONDS,
    alertTopic: env.ALERT_TOPIC_ARN,
  };
}

const watchSchema = z.object({
  /** The groups to watch, separated by commas. */
  GROUP_NAMES: z.string().check(z.minLength(1)),
  MAX_RETAINED: z.coerce.number().check(z.int(), z.minimum(0)),
});

export interface WatchSettings {
  readonly groups: readonly string[];
  readonly maxRetained: number;
}

export function watchSettings(): WatchSettings {
  const { GROUP_NAMES, MAX_RETAINED } = readEnvironment(watchSchema);
  const groups = GROUP_NAMES.split(',').map((name) => name.trim());
  return { groups: groups.filter((name) => name !== ''), maxRetained: MAX_RETAINED };
}
