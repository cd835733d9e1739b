/** Runs one packaged function in a process of its own: calls its handler with events at simulated times. */
import { pathToFileURL } from 'node:url';

interface Invocation {
  readonly id: number;
  readonly event: unknown;
  readonly now: number;
  readonly remainingMs: number;
}

const RealDate = Date;
let offset = 0;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: []) =>
    args.length === 0 ? new target(target.now() + offset) : new target(...args),
  get: (target, name) =>
    name === 'now' ? () => target.now() + offset : (target as unknown as Record<PropertyKey, unknown>)[name],
});

const { handler } = (await import(pathToFileURL(process.argv[2]!).href)) as {
  handler: (event: unknown, context: object) => Promise<unknown>;
};

process.on('message', async ({ id, event, now, remainingMs }: Invocation) => {
  offset = now - RealDate.now();
  const end = RealDate.now() + remainingMs;
  const context = { awsRequestId: String(id), getRemainingTimeInMillis: () => end - RealDate.now() };
  try {
    process.send!({ id, result: (await handler(event, context)) ?? null });
  } catch (error) {
    process.send!({ id, error: `${(error as Error).name}: ${(error as Error).message}` });
  }
});
process.send!({ ready: true });
