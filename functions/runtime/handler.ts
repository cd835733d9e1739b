/** What all handlers have around them: an early end before Lambda's own, and a log line for each error. */
import middy from '@middy/core';
import errorLogger from '@middy/error-logger';
import type * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';
import { log } from './log.ts';

/** Milliseconds before the function's timeout at which it fails with an error of its own, which is logged. */
const EARLY_MS = 2000;

export const withLogging = () =>
  middy({
    timeoutEarlyInMillis: EARLY_MS,
    timeoutEarlyResponse: () => {
      throw new TailraceError('FUNCTION_TIMEOUT', 'the function ran out of time; it is retried', {
        retriable: true,
      });
    },
  }).use(
    errorLogger({
      logger: ({ error }: { error: unknown }) => log.error({ err: error }, 'the function failed'),
    }),
  );

/** @throws TailraceError BAD_EVENT when the event isn't what the rule should send */
export function parseEvent<T extends z.ZodMiniType>(schema: T, event: unknown): z.output<T> {
  const parsed = schema.safeParse(event);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new TailraceError('BAD_EVENT', `${issue.path.join('.') || 'event'}: ${issue.message}`);
}
