/** The forward input's section of agent.yaml. */
import { hostname } from 'node:os';
import * as z from 'zod/mini';
import { parseAddress } from '../../base/address.ts';
import { duration, size } from '../../base/units.ts';
import { transformShape } from '../format/transform.ts';
import { compilePattern } from './routes.ts';

const SECOND = 1000;
const MIB = 1024 * 1024;

const text = z.string().check(z.minLength(1));
const count = z.number().check(z.int(), z.minimum(1));

const EXPECTED_ADDRESS = 'expected host:port, [ipv6]:port or unix:/path';
const address = text.check(z.refine((value) => parseAddress(value) !== null, { error: EXPECTED_ADDRESS }));

const pattern = text.check(
  z.superRefine((value, context) => {
    try {
      compilePattern(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  }),
);

const tlsShape = z.strictObject({
  /** PEM files; reloaded when they change. */
  cert: text,
  key: text,
  /** The authorities that may have signed the clients' certificates. */
  ca: z.optional(text),
  /** Whether a client must show a certificate that `ca` signed (mTLS). */
  client_auth: z._default(z.boolean(), false),
  min_version: z._default(z.enum(['TLSv1.2', 'TLSv1.3']), 'TLSv1.2'),
  /** How often the files are looked at. */
  reload_interval: z._default(duration, 10 * SECOND),
});

// Without it any certificate of any public authority would do.
const tls = tlsShape.check(
  z.refine((value) => !value.client_auth || value.ca !== undefined, {
    error: 'client_auth needs ca: the file of those who may have signed the certificates of clients',
  }),
);

/** A secret is in the configuration, or alone in a file. */
const secret = z.union([text, z.strictObject({ file: text })]);

/** An empty one must be written out: it proves nothing, but some clients have no other (Fluent Bit's Empty_Shared_Key). */
const sharedKey = z.union([z.string(), z.strictObject({ file: text })]);

const user = z.strictObject({ username: text, password: secret });

const security = z.strictObject({
  /** Must differ from the clients' own names: some clients refuse a server that is called as they are. */
  self_hostname: z._default(text, () => `tailrace.${hostname()}`),
  shared_key: sharedKey,
  users: z.optional(z.array(user).check(z.minLength(1))),
  /** Rules for clients from some networks, addresses or CIDR; the first that fits counts. */
  clients: z._default(
    z.array(
      z.strictObject({
        network: text,
        /** Instead of the key and the users of all. */
        shared_key: z.optional(sharedKey),
        users: z.optional(z.array(user)),
      }),
    ),
    [],
  ),
  /** Whether clients from no network of `clients` are let in. */
  allow_others: z._default(z.boolean(), true),
});

const route = z.strictObject({
  match: pattern,
  /** The tag to go under; `${tag}` and `${tag_parts[0]}` stand for the client's. */
  tag: z.optional(text),
  /** Leaves the events out, and counts them. */
  drop: z.optional(z.boolean()),
  ...transformShape,
});

export const forwardOptions = z.strictObject({
  type: z.literal('forward'),
  listen: z._default(z.union([address, z.array(address).check(z.minLength(1))]), '127.0.0.1:24224'),
  tls: z.optional(tls),
  security: z.optional(security),
  /** Whether heartbeats are answered on the UDP ports of the same numbers. */
  udp_heartbeat: z._default(z.boolean(), true),

  /** Put before every tag, with a dot between. */
  tag_prefix: z.optional(text),
  /** The first route that matches the tag counts; what none matches goes under its own tag. */
  routes: z._default(z.array(route), []),
  ...transformShape,

  max_connections: z._default(count, 1024),
  /** Closes connections on which nothing comes for so long; off unless set, because a client without acks cannot know. */
  idle_timeout: z.optional(duration),
  /** Closes connections that stop inside a message or a handshake. */
  read_timeout: z._default(duration, 60 * SECOND),
  max_message_size: z._default(size, 256 * MIB),
  max_decompressed_size: z._default(size, 256 * MIB),
  /** Unfinished messages of all connections together; beyond it only the largest is read on. */
  max_buffered_size: z._default(size, 32 * MIB),

  /** How long, and how many, ids of messages are kept to recognize one that is resent. */
  chunk_id_ttl: z._default(duration, 3600 * SECOND),
  max_chunk_ids: z._default(count, 100_000),

  /** Whether lines that Docker split are joined, and how long the rest of one is waited for. */
  join_partial_messages: z._default(z.boolean(), true),
  partial_timeout: z._default(duration, 60 * SECOND),
});

export type ForwardOptions = z.output<typeof forwardOptions>;
export type TlsOptions = NonNullable<ForwardOptions['tls']>;
export type SecurityOptions = NonNullable<ForwardOptions['security']>;
export type Secret = z.output<typeof secret>;
