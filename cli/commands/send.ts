/** `tailrace send`: posts events to an agent with fluent-logger and waits for each ack. */
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import fluent from 'fluent-logger';
import { TailraceError } from '../../base/errors.ts';
import { parseHostPort } from '../../base/host-port.ts';
import { count } from '../../base/human.ts';
import { ConfigError } from '../config.ts';
import { timeoutOption } from '../options.ts';

/** The most events that wait for their acks at a time. */
const IN_FLIGHT = 256;

/** The parts of the sender that its own types omit or are too strict about. */
interface FluentSender {
  emit(event: object, callback: (error?: Error) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  end(): void;
}

export function command(): Command {
  return new Command('send')
    .description(
      'Send events to an agent over the forward protocol and wait until the agent has them on disk.',
    )
    .argument(
      '[events...]',
      'events as JSON objects; text that is not JSON becomes {"message": text}; without arguments, one line each from stdin',
    )
    .requiredOption('--tag <tag>', 'tag of the events, e.g. app.checkout')
    .option('-a, --address <host:port>', "the agent's forward input", '127.0.0.1:24224')
    .addOption(timeoutOption('wait this long for an ack', '30s'))
    .addHelpText(
      'after',
      '\nExit codes: 0 the agent has them all, 1 the agent did not acknowledge them, 2 bad usage.',
    )
    .action(run);
}

async function run(
  events: string[],
  { tag, address, timeout }: { tag: string; address: string; timeout: number },
): Promise<void> {
  const target = parseHostPort(address);
  if (target === null || target.port === 0) {
    throw new ConfigError(`--address: expected host:port, not ${address}`);
  }
  const options = {
    ...target,
    eventMode: 'PackedForward',
    requireAckResponse: true,
    ackResponseTimeout: timeout,
    // Someone waiting at a prompt wants to know now, not in ten minutes.
    enableReconnect: false,
    internalLogger: { info: () => {}, error: () => {} },
  };
  const logger = fluent.createFluentSender(tag, options) as unknown as FluentSender;
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const fail = (error: Error): void => {
    const message = `${address}: ${error.message}: is an agent with a forward input listening there?`;
    reject(new TailraceError('SEND', message, { cause: error }));
  };
  logger.on('error', fail);

  const post = async (): Promise<number> => {
    let sent = 0;
    const waiting = new Set<Promise<void>>();
    for await (const text of events.length > 0 ? events : createInterface({ input: process.stdin })) {
      if (text.trim() === '') continue;
      const acknowledged = new Promise<void>((resolve) => {
        logger.emit(toEvent(text), (error?: Error) => (error ? fail(error) : resolve()));
      }).finally(() => waiting.delete(acknowledged));
      waiting.add(acknowledged);
      sent++;
      if (waiting.size >= IN_FLIGHT) await Promise.race(waiting);
    }
    await Promise.all(waiting);
    return sent;
  };
  // Once the failure is reported, neither stdin nor a connection to a silent peer may keep the process alive.
  failed.catch(() => setImmediate(() => process.exit()));
  const sent = await Promise.race([failed, post()]);
  logger.end();
  process.stderr.write(`${count(sent)} ${sent === 1 ? 'event' : 'events'} sent and acknowledged\n`);
}

function toEvent(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch {
    // Not JSON: keep it as a message.
  }
  return { message: text };
}
