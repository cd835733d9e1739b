/** Regular expressions as a configuration writes them. */
import { toRegExp } from 'oniguruma-to-es';
import * as z from 'zod/mini';
import { FormatError } from './errors.ts';

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

/** What only Ruby's expressions have: `\\h`, `\\A`, `[[:alpha:]]`, atomic groups, possessive quantifiers. */
const RUBY = /\\[hHAzZGRX]|\[\[:\^?\w+:\]|\(\?>|\(\?[imx-]+[:)]|[*+?}]\+|\\g<|\\p\{\^/;

/**
 * An expression with named groups: JavaScript's, or Ruby's as fluentd has it, between slashes with flags or with
 * something that only Ruby knows in it.
 *
 * @throws FormatError for what is not an expression, or has no named group
 */
export function compileExpression(text: string): RegExp {
  const slashes = /^\/(.*)\/([imx]*)$/s.exec(text);
  const source = slashes?.[1] ?? text;
  let compiled: RegExp;
  try {
    compiled =
      slashes || RUBY.test(source) ? toRegExp(source, { flags: slashes?.[2] ?? '' }) : new RegExp(source);
  } catch (cause) {
    throw new FormatError(`is not a regular expression: ${(cause as Error).message}`, cause);
  }
  if (/\(\?<[A-Za-z_]/.test(source)) return compiled;
  throw new FormatError('expected named groups such as (?<host>[^ ]*): they are the fields');
}
