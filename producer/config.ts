/** The agent's configuration, `agent.yaml`. */
import * as z from 'zod/mini';
import { DEDUPE_HORIZON_MS } from '../archive/dedupe-horizon.ts';
import { hostPort } from '../base/host-port.ts';
import { isSameStream, STREAM_ARN } from '../base/stream-target.ts';
import { delay, duration, size, timerDuration } from '../base/units.ts';
import { emfOptions } from './emf.ts';
import { forwardOptions } from './forward/options.ts';
import { inputName } from './input.ts';
import { instanceOptions } from './instance/options.ts';
import { journaldOptions } from './journald/options.ts';
import { DEFAULT_SEALER_OPTIONS } from './sealer.ts';
import { DEFAULT_SENDER_OPTIONS } from './sender/sender.ts';
import { tailOptions } from './tail/options.ts';

const SECOND = 1000;
const MIB = 1024 * 1024;

const stream = z
  .strictObject({
    name: z.string().check(z.minLength(1)),
    region: z.string().check(z.minLength(1)),
    /** Of a stream in another account, whose policy must allow this one's role. */
    arn: z.optional(z.string().check(z.regex(STREAM_ARN, 'is not the ARN of a stream'))),
    endpoint: z.optional(z.url({ error: 'expected a URL such as http://127.0.0.1:4567' })),
    /** An unanswered request is abandoned after this time and its records are resent; other requests are unaffected. */
    request_timeout: z._default(timerDuration, 30 * SECOND),
  })
  .check(z.refine(isSameStream, { error: 'arn: names another stream or region than name and region' }));

const atMost = (bytes: number, text: string) =>
  size.check(
    z.refine((value) => value >= 256 * 1024 && value <= bytes, { error: `expected 256KiB to ${text}` }),
  );

const positive = size.check(z.refine((value) => value > 0, { error: 'expected more than 0' }));

const send = z.strictObject({
  /** Size of one PutRecords request; the service accepts up to 10 MiB. */
  request_size: z._default(atMost(10 * MIB, '10MiB'), 5 * MIB),
  requests_in_flight: z._default(z.number().check(z.int(), z.minimum(1), z.maximum(32)), 3),
  /** Time for which chunks, made early because a client waits for its ack, gather for records and requests. */
  gather: z._default(delay, DEFAULT_SENDER_OPTIONS.gather),
  /** The most bytes per second sent to the stream. */
  max_bytes_per_second: z.optional(positive),
});

const spill = z.strictObject({
  bucket: z.string().check(z.minLength(3)),
  prefix: z._default(
    z
      .string()
      .check(z.regex(/^$|^[^/].*\/$/, { error: 'expected a prefix that ends in a slash, such as spill/' })),
    'spill/',
  ),
  /** Defaults to that of the stream. */
  region: z.optional(z.string().check(z.minLength(1))),
  endpoint: z.optional(z.url({ error: 'expected a URL such as http://127.0.0.1:4568' })),
  /** That of the consumers: until then after a spill they are asked not to forget its lanes. */
  dedupe_horizon: z._default(duration, DEDUPE_HORIZON_MS),
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
  interval: z._default(timerDuration, DEFAULT_SEALER_OPTIONS.interval),
  /** Time between cuts when little arrives and no client waits. */
  idle_interval: z._default(timerDuration, DEFAULT_SEALER_OPTIONS.idleInterval),
  /** Time for which an ack may wait for others to share its cut. */
  ack_interval: z._default(delay, DEFAULT_SEALER_OPTIONS.ackInterval),
  /** Time between the chunks without events that say how far the agent has read, by which hours of the archive close. */
  watermark_interval: z._default(timerDuration, DEFAULT_SEALER_OPTIONS.watermarkInterval),
});

const spool = z.strictObject({
  /** Bytes on disk beyond which the inputs are paused. */
  max_size: z._default(positive, 1024 * MIB),
  /** Bytes after which a new segment file is started. */
  segment_size: z._default(positive, 16 * MIB),
});

export const agentConfig = z.strictObject({
  state_dir: z.string().check(z.minLength(1)),
  stream,
  compression: z._default(compression, 'gzip'),
  inputs: z.array(z.discriminatedUnion('type', [tailOptions, forwardOptions, journaldOptions])).check(
    z.minLength(1, { error: 'expected at least one input' }),
    z.superRefine((list, context) => {
      const names = list.map(inputName);
      names.forEach((name, i) => {
        if (names.indexOf(name) === i) return;
        const message = `has the name of inputs[${names.indexOf(name)}], ${name}: give one of them a unique id`;
        context.addIssue({ code: 'custom', path: [i], message, input: list });
      });
    }),
  ),
  /** Lanes that a run starts with; more are added automatically where shards throttle. */
  lanes: z._default(z.number().check(z.int(), z.minimum(1), z.maximum(64)), 1),
  send: z.prefault(send, {}),
  /** Bucket that receives whatever a flush could not send by its deadline. */
  spill: z.optional(spill),
  /** Which parts of EC2's instance metadata to watch. */
  instance: z.prefault(instanceOptions, {}),
  seal: z.prefault(seal, {}),
  spool: z.prefault(spool, {}),
  /** The most tags at a time; events of further tags go to `_other` and are counted. */
  max_tags: z._default(z.number().check(z.int(), z.minimum(1)), 1000),
  /** Event times further from now than this are implausible: the event is kept under its hour of arrival. */
  max_past: z._default(duration, 30 * 24 * 3600 * SECOND),
  max_future: z._default(duration, 24 * 3600 * SECOND),
  http: z.optional(z.strictObject({ listen: hostPort })),
  /** Metrics for CloudWatch through the CloudWatch agent on this host. */
  emf: z.optional(emfOptions),
  /** How long a stop by signal may spend sending what is left; the spool keeps the rest. */
  stop_timeout: z._default(timerDuration, 60 * SECOND),
  /** The agent's own log; standard error by default. Reopened on SIGHUP, as logrotate expects. */
  log_file: z.optional(z.string().check(z.minLength(1))),
  log_level: z._default(z.enum(['trace', 'debug', 'info', 'warn', 'error']), 'info'),
});

export type AgentConfig = z.output<typeof agentConfig>;
