/**
 * Metrics for CloudWatch in its embedded metric format, sent by UDP to the CloudWatch agent on this host.
 *
 * One datagram per minute; a dropped one is only a gap in a graph, so nothing waits for it.
 */
import { createSocket, type Socket } from 'node:dgram';
import * as z from 'zod/mini';
import { hostPort, parseHostPort } from '../base/host-port.ts';
import { timerDuration } from '../base/units.ts';
import type { AgentStatus } from './status.ts';

export const emfOptions = z.strictObject({
  namespace: z._default(z.string().check(z.minLength(1)), 'tailrace'),
  interval: z._default(timerDuration, 60_000),
  /** Where the CloudWatch agent listens for this format. */
  address: z._default(hostPort, '127.0.0.1:25888'),
});

export type EmfOptions = z.output<typeof emfOptions>;

const UNITS = {
  OldestUnsentSeconds: 'Seconds',
  SpoolBytes: 'Bytes',
  SpoolChunks: 'Count',
  QuarantinedPlaces: 'Count',
  Ready: 'Count',
  TroubledInputs: 'Count',
  EventsIn: 'Count',
  LinesUnparsed: 'Count',
  EventsAcknowledged: 'Count',
  BytesAcknowledged: 'Bytes',
  RecordsRetried: 'Count',
  RequestsFailed: 'Count',
} as const;

/**
 * The document of one interval: current gauges, and the increase of each counter since the last interval.
 *
 * @param before the status of the last interval, null in the first
 * @param now milliseconds since 1970
 */
export function emfDocument(
  { namespace }: EmfOptions,
  stream: string,
  status: AgentStatus,
  before: AgentStatus | null,
  now: number,
): object {
  const values: Record<keyof typeof UNITS, number> = {
    OldestUnsentSeconds: status.spool.oldest_age_ms / 1000,
    SpoolBytes: status.spool.bytes,
    SpoolChunks: status.spool.chunks,
    QuarantinedPlaces: status.spool.quarantined,
    Ready: status.state === 'ready' ? 1 : 0,
    TroubledInputs: status.troubled_inputs.length,
    LinesUnparsed: unparsed(status) - (before === null ? 0 : unparsed(before)),
    EventsIn: status.events.in - (before?.events.in ?? 0),
    EventsAcknowledged: status.events.acknowledged - (before?.events.acknowledged ?? 0),
    BytesAcknowledged: status.acknowledged.bytes - (before?.acknowledged.bytes ?? 0),
    RecordsRetried: status.stream.retried_records - (before?.stream.retried_records ?? 0),
    RequestsFailed: status.stream.failed_requests - (before?.stream.failed_requests ?? 0),
  };
  return {
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [['Stream'], ['Stream', 'Host']],
          Metrics: Object.entries(UNITS).map(([Name, Unit]) => ({ Name, Unit })),
        },
      ],
    },
    Stream: stream,
    Host: status.instance.id ?? status.host,
    ...values,
  };
}

function unparsed({ inputs }: AgentStatus): number {
  return Object.values(inputs).reduce((sum, counters) => sum + (counters['unparsed'] ?? 0), 0);
}

/** Sends a document every interval until stopped. */
export class Emf {
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;

  constructor(options: EmfOptions, stream: string, status: () => AgentStatus) {
    const { host, port } = parseHostPort(options.address)!;
    this.#socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    this.#socket.unref();
    // Nobody is listening: nothing to do about it here.
    this.#socket.on('error', () => {});
    let before: AgentStatus | null = null;
    this.#timer = setInterval(() => {
      const current = status();
      const document = emfDocument(options, stream, current, before, Date.now());
      before = current;
      this.#socket.send(`${JSON.stringify(document)}\n`, port, host, () => {});
    }, options.interval);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }
}
