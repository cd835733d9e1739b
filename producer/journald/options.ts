/** The options of a journald input as the agent's configuration has them. */
import * as z from 'zod/mini';
import { formatOptions } from '../format/options.ts';
import { transformShape, unparsedPolicy } from '../format/transform.ts';
import { takeOver } from '../predecessor/options.ts';

const name = z.string().check(z.minLength(1));

export const journaldOptions = z.strictObject({
  type: z.literal('journald'),
  /** Names the input in state and metrics; by default its units and matches do. */
  id: z.optional(z.string().check(z.regex(/^[\w.-]+$/))),
  tag: name,
  /** Units whose entries are read; all of them by default. */
  units: z.optional(z.array(name).check(z.minLength(1))),
  /** `FIELD=value`, as journalctl takes them. */
  matches: z.optional(
    z.array(z.string().check(z.regex(/^[A-Z0-9_]+=/, { error: 'expected FIELD=value, such as _UID=0' }))),
  ),
  /** The folder of the journal; that of this machine by default. */
  directory: z.optional(name),
  read_from_head: z._default(z.boolean(), true),
  /** Of the agent that this input replaces: where that has stopped, the first start goes on. */
  take_over: z.optional(takeOver),
  /** The usual fields under their usual names, or all others as well. */
  fields: z._default(z.enum(['usual', 'all']), 'usual'),
  /** The format of the message. */
  format: z.optional(formatOptions),
  unparsed: z.optional(unparsedPolicy),
  ...transformShape,
});

export type JournaldOptions = z.output<typeof journaldOptions>;
