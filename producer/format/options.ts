/** The `format` of an input as it stands in a configuration: a name, or an object with a `type` and its options. */
import * as z from 'zod/mini';
import { parseApacheFormat } from './apache-format.ts';
import { FormatError } from './errors.ts';
import { parseNginxFormat } from './nginx-format.ts';
import { compileTimeFormat } from './time-format.ts';
import { timeZone } from './time-zone.ts';

const name = z.string().check(z.minLength(1));

/** A string that a compiler takes; what it says against it is shown. */
function compiled(compile: (text: string) => unknown) {
  return z.string().check(
    z.superRefine((text, context) => {
      try {
        compile(text);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        context.addIssue({ code: 'custom', message: error.message, input: text });
      }
    }),
  );
}

const timezone = z.optional(compiled(timeZone));
const types = z.optional(z.record(name, z.enum(['string', 'integer', 'float', 'bool'])));
const plainTypes = z.optional(z.record(name, z.enum(['string', 'integer', 'float'])));
const timed = {
  time_key: z.optional(name),
  time_format: z.optional(compiled((text) => compileTimeFormat(text, 'UTC'))),
  timezone,
};

const expression = compiled((text) => {
  const regexp = compileExpression(text);
  if (!/\(\?<[A-Za-z_$]/.test(regexp.source)) {
    throw new FormatError('expected named groups such as (?<host>[^ ]*): they are the fields');
  }
});

/** A regular expression as JavaScript writes it, or between slashes with its flags, as fluentd does. */
export function compileExpression(text: string): RegExp {
  const slashes = /^\/(.*)\/([imsx]*)$/s.exec(text);
  try {
    // Ruby's `m` is JavaScript's `s`; `x` has no counterpart.
    if (slashes?.[2]?.includes('x')) throw new FormatError('flag x is not known: write it without blanks');
    return new RegExp(slashes ? slashes[1]! : text, slashes ? slashes[2]!.replace('m', 's') : '');
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`is no regular expression: ${(cause as Error).message}`, cause);
  }
}

const format = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      type: z.literal('nginx'),
      log_format: z.optional(compiled(parseNginxFormat)),
      types: plainTypes,
    }),
    z.strictObject({
      type: z.literal('apache2'),
      log_format: z.optional(compiled(parseApacheFormat)),
      types: plainTypes,
    }),
    z.strictObject({ type: z.literal('nginx_error'), timezone }),
    z.strictObject({ type: z.literal('apache_error'), timezone }),
    z.strictObject({ type: z.literal('json'), ...timed }),
    z.strictObject({ type: z.literal('ltsv'), ...timed, keep_time_key: z.optional(z.boolean()), types }),
    z.strictObject({
      type: z.literal('syslog'),
      rfc: z.optional(z.enum(['auto', '3164', '5424'])),
      timezone,
    }),
    z.strictObject({
      type: z.literal('regexp'),
      expression,
      ...timed,
      keep_time_key: z.optional(z.boolean()),
      types,
    }),
    z.strictObject({ type: z.literal('none') }),
  ],
  {
    error:
      'expected one of nginx, apache2, nginx_error, apache_error, json, ltsv, syslog, none, or an object with such a type (regexp needs one, with its expression)',
  },
);

/** A format's name alone stands for its defaults. */
export const formatOptions = z.pipe(
  z.transform((value: unknown) => (typeof value === 'string' ? { type: value } : value)),
  format,
);

export type FormatOptions = z.output<typeof formatOptions>;
