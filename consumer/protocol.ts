/** The streams over which a shard's process speaks the multilang protocol, guarded against everything else. */
import { Writable } from 'node:stream';

/**
 * Takes stdout for the protocol alone: what anything else prints goes to stderr from now on.
 *
 * @returns a stream whose `write` never answers false, which aws-kcl would take for a failure and not for "wait"
 */
export function takeStdout(): Writable {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  return new Writable({
    highWaterMark: Number.MAX_SAFE_INTEGER,
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      write(chunk, (error?: Error | null) => done(error));
    },
  });
}

/**
 * Leaves signals to the daemon: a service manager or a terminal sends them to the whole group, and a shard's process
 * that obeyed would be gone before the daemon asks it to finish. It ends when its stdin does.
 */
export function ignoreSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
}
