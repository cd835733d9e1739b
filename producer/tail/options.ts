/** The options of a tail input in the agent's configuration. */
import * as z from 'zod/mini';
import { duration, size } from '../../base/units.ts';
import { formatOptions } from '../format/options.ts';
import { pattern } from '../format/patterns.ts';
import { transformShape, unparsedPolicy } from '../format/transform.ts';
import { takeOver } from '../predecessor/options.ts';
import { decoderOf } from './encoding.ts';
import { Glob } from './glob.ts';
import { compressionOf } from './rotation.ts';
import { isTagTemplate, TAG_PLACEHOLDERS } from './tag.ts';

const KiB = 1024;

/** Whose symbolic links are followed: those that give nobody more to read than he has, or all. */
const symlinks = z.enum(['trusted', 'all']);
export type Symlinks = z.output<typeof symlinks>;

const glob = z.string().check(
  z.minLength(1),
  z.refine(
    (pattern) => {
      try {
        return new Glob(pattern) !== null;
      } catch {
        return false;
      }
    },
    { error: 'is not a path pattern: * ? [a-z] {a,b} and ** are known' },
  ),
);

const logs = glob.check(
  z.refine((pattern) => compressionOf(pattern) === null, {
    error: 'names compressed files: name the log itself, its compressed generations are found next to it',
  }),
);

const globs = z.union([glob, z.array(glob).check(z.minLength(1))]);

function isEncoding(label: string): boolean {
  try {
    return decoderOf(label) !== null;
  } catch {
    return false;
  }
}

function isWide(encoding: string | undefined): boolean {
  return encoding !== undefined && isEncoding(encoding) && decoderOf(encoding).encoding.startsWith('utf-16');
}

const options = z.strictObject({
  type: z.literal('tail'),
  /** Names the input in state and metrics; by default its paths do. */
  id: z.optional(z.string().check(z.regex(/^[\w.-]+$/))),
  path: z.union([logs, z.array(logs).check(z.minLength(1))]),
  exclude_path: z.optional(globs),
  tag: z.string().check(
    z.minLength(1),
    z.refine(isTagTemplate, {
      error: `knows ${TAG_PLACEHOLDERS.map((name) => `\${${name}}`).join(', ')} and no other placeholder`,
    }),
  ),
  format: formatOptions,
  read_from_head: z._default(z.boolean(), true),
  /** Of the agent that this input replaces: where that has stopped, the first start goes on. */
  take_over: z.optional(takeOver),
  symlinks: z._default(symlinks, 'trusted'),
  refresh_interval: z._default(duration, 5000),
  rotate_wait: z._default(duration, 5000),
  max_line_size: z._default(
    size.check(
      z.refine((bytes) => bytes >= 1 * KiB && bytes <= 480 * KiB, { error: 'expected 1KiB to 480KiB' }),
    ),
    256 * KiB,
  ),
  /** Of the files, when it is not UTF-8: a label of the WHATWG encoding standard. */
  encoding: z.optional(
    z.string().check(
      z.refine(isEncoding, {
        error: 'is not a known encoding: utf-16le, iso-8859-1, shift_jis, euc-kr and the like are',
      }),
    ),
  ),
  multiline: z.optional(
    z
      .strictObject({
        start: z.optional(pattern),
        continuation: z.optional(pattern),
        end: z.optional(pattern),
        flush_interval: z._default(duration, 5000),
      })
      .check(
        z.refine((m) => [m.start, m.continuation, m.end].filter((way) => way !== undefined).length === 1, {
          error: 'expected exactly one of start, continuation and end',
        }),
      ),
  ),
  ...transformShape,
  unparsed: z.optional(unparsedPolicy),
});

export const tailOptions = options.check(
  z.refine(({ encoding, multiline }) => multiline === undefined || !isWide(encoding), {
    error: 'multiline does not work with a UTF-16 encoding',
    path: ['multiline'],
  }),
);

export type TailOptions = z.output<typeof tailOptions>;
