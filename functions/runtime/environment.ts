/** Settings of a function from its environment variables, checked at the first call. */
import * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';

export const wholeNumber = z.coerce.number().check(z.int(), z.minimum(1));
/** Seconds, at most the two days that Auto Scaling waits. */
export const seconds = wholeNumber.check(z.maximum(172_800));

/** @throws TailraceError BAD_ENVIRONMENT that names the first variable at fault */
export function readEnvironment<T extends z.ZodMiniType>(schema: T): z.output<T> {
  const parsed = schema.safeParse(process.env);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new TailraceError(
    'BAD_ENVIRONMENT',
    `environment variable ${issue.path.join('.')}: ${issue.message}; redeploy the stack`,
  );
}
