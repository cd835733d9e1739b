/** The `format` of an input as it stands in a configuration: a name, or an object with a `type` and its options. */
import * as z from 'zod/mini';
import { FormatError } from './errors.ts';
import { parseApacheFormat, parseNginxFormat } from './log-format.ts';

/** A check that runs a compiler and shows what it says. */
function compiles<T>(compile: (text: T) => unknown): z.core.$ZodCheck<T> {
  return z.superRefine<T>((value, context) => {
    try {
      compile(value);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      context.addIssue({ code: 'custom', message: error.message, input: value });
    }
  });
}

const logFormat = (compile: (text: string) => unknown) => z.optional(z.string().check(compiles(compile)));

const nginx = z.strictObject({
  type: z.literal('nginx'),
  log_format: logFormat(parseNginxFormat),
});

const apache2 = z.strictObject({
  type: z.literal('apache2'),
  log_format: logFormat(parseApacheFormat),
});

const none = z.strictObject({ type: z.literal('none') });

const object = z.discriminatedUnion('type', [nginx, apache2, none]);
export type FormatOptions = z.output<typeof object>;

/** A format's name alone stands for its defaults. */
export const formatOptions = z.pipe(
  z.transform((value: unknown) => (typeof value === 'string' ? { type: value } : value)),
  object,
);
