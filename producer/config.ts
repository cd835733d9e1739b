/** The agent's configuration, `agent.yaml`. */
import * as z from 'zod/mini';
import { duration, size } from '../chunk/units.ts';
import { forwardOptions } from './forward/options.ts';
import { tailOptions } from './tail/options.ts';

const SECOND = 1000;
const MIB = 1024 * 1024;

const stream = z.strictObject({
  name: z.string().check(z.minLength(1)),
  region: z.string().check(z.minLength(1)),
  endpoint: z.optional(z.url({ error: 'expected a URL such as http://127.0.0.1:4567' })),
});

const compression = z.union([
  z.enum(['gzip', 'zstd']),
  z.strictObject({
    codec: z.enum(['gzip', 'zstd']),
    level: z.number().check(z.int(), z.minimum(1), z.maximum(9)),
  }),
]);

const seal = z.strictObject({
  /** Time between cuts under load. */
  interval: z._default(duration, SECOND),
  /** Time between cuts when little comes in and no client waits. */
  idle_interval: z._default(duration, 5 * SECOND),
  /** Time within which a waiting client gets its ack. */
  ack_interval: z._default(duration, 100),
});

const spool = z.strictObject({
  /** Bytes on disk from which on the inputs are held back. */
  max_size: z._default(size, 1024 * MIB),
  /** Bytes after which a segment file is followed by the next. */
  segment_size: z._default(size, 16 * MIB),
});

export const agentConfig = z.strictObject({
  state_dir: z.string().check(z.minLength(1)),
  stream,
  compression: z._default(compression, 'gzip'),
  inputs: z
    .array(z.discriminatedUnion('type', [tailOptions, forwardOptions]))
    .check(z.minLength(1, { error: 'expected at least one input' })),
  seal: z.prefault(seal, {}),
  spool: z.prefault(spool, {}),
  /** Most tags at a time; events of further ones go to `_other` and are counted. */
  max_tags: z._default(z.number().check(z.int(), z.minimum(1)), 1000),
  /** Event times further from now than this are absurd: the event is kept, under the hour of its arrival. */
  max_past: z._default(duration, 30 * 24 * 3600 * SECOND),
  max_future: z._default(duration, 24 * 3600 * SECOND),
  http: z.optional(
    z.strictObject({ listen: z.string().check(z.regex(/^.+:\d+$/, { error: 'expected host:port' })) }),
  ),
  /** How long a stop by signal may take to send what is left; the spool keeps the rest. */
  stop_timeout: z._default(duration, 60 * SECOND),
  log_level: z._default(z.enum(['trace', 'debug', 'info', 'warn', 'error']), 'info'),
});

export type AgentConfig = z.output<typeof agentConfig>;
