/** The `format` of an input in a configuration: a name, or an object with a `type` and its options. */
import * as z from 'zod/mini';
import { parseApacheFormat } from './apache-format.ts';
import { FormatError } from './errors.ts';
import { parseNginxFormat } from './nginx-format.ts';
import { compileExpression } from './patterns.ts';
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
/** What every format takes besides its own options. */
const common = {
  time_key: z.optional(name),
  time_format: z.optional(compiled((text) => compileTimeFormat(text, 'UTC'))),
  keep_time_key: z.optional(z.boolean()),
  timezone,
  types: z.optional(z.record(name, z.enum(['string', 'integer', 'float', 'bool', 'time']))),
};

const format = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      type: z.literal('nginx'),
      log_format: z.optional(compiled(parseNginxFormat)),
      ...common,
    }),
    z.strictObject({
      type: z.literal('apache2'),
      log_format: z.optional(compiled(parseApacheFormat)),
      ...common,
    }),
    z.strictObject({ type: z.literal('nginx_error'), ...common }),
    z.strictObject({ type: z.literal('apache_error'), ...common }),
    z.strictObject({ type: z.literal('json'), ...common }),
    z.strictObject({ type: z.literal('ltsv'), ...common }),
    z.strictObject({
      type: z.literal('syslog'),
      rfc: z.optional(z.enum(['auto', '3164', '5424'])),
      ...common,
    }),
    z.strictObject({ type: z.literal('regexp'), expression: compiled(compileExpression), ...common }),
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
