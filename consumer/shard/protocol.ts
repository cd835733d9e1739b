/** The streams over which a shard's process speaks the multilang protocol, guarded against everything else. */
import { type Readable, Transform, Writable } from 'node:stream';

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

/**
 * The lines of `input`, each as one string with its end. A line of KCL's can have 13 MB: aws-kcl's readline would put
 * it together from two hundred strings, at the price of twice the time and the memory.
 *
 * @param onLine told the length of each line when it has been taken
 */
export function wholeLines(input: Readable, onLine: (bytes: number) => void): Readable {
  // One buffer for all lines, as large as the largest: a new one each would be as much garbage as the lines are long.
  let held: Buffer = Buffer.allocUnsafe(64 * 1024);
  let length = 0;
  const hold = (part: Buffer): void => {
    if (length + part.length > held.length) {
      const larger = Buffer.allocUnsafe(2 * (length + part.length));
      held.copy(larger, 0, 0, length);
      held = larger;
    }
    part.copy(held, length);
    length += part.length;
  };
  return input.pipe(
    new Transform({
      readableObjectMode: true,
      readableHighWaterMark: 1,
      transform(part: Buffer, _encoding, done) {
        let from = 0;
        for (let end = part.indexOf(0x0a); end !== -1; end = part.indexOf(0x0a, from)) {
          hold(part.subarray(from, end + 1));
          this.push(held.toString('utf8', 0, length));
          onLine(length);
          length = 0;
          from = end + 1;
        }
        if (from < part.length) hold(part.subarray(from));
        done();
      },
    }),
  );
}
