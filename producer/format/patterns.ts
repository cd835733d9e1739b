/** Regular expressions as a configuration writes them. */
import * as z from 'zod/mini';

/** A pattern of JavaScript's syntax, with its flag `u`: what only another language knows is refused, not ignored. */
export const pattern = z.string().check(
  z.refine(
    (text) => {
      try {
        return new RegExp(text, 'u') !== null;
      } catch {
        return false;
      }
    },
    { error: 'expected a regular expression (JavaScript syntax, flag u)' },
  ),
);
