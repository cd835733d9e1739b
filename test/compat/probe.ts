/** One question to a service and the answer that AWS gives to it; the answers of stand-ins become a table. */
import * as http2 from 'node:http2';

export interface Probe<Client> {
  /** The row's heading. */
  readonly about: string;
  readonly amazon: string;
  ask(client: Client): Promise<string>;
}

export interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** `412 PreconditionFailed`; what came without a status is named alone. */
export function statusAndName({ name, $metadata }: ServiceError): string {
  const status = $metadata?.httpStatusCode;
  return status === undefined ? name : `${status} ${name}`;
}

/** The status of a call, or its error. */
export async function answerOf(
  call: Promise<{ readonly $metadata: { readonly httpStatusCode?: number | undefined } }>,
): Promise<string> {
  try {
    return String((await call).$metadata.httpStatusCode);
  } catch (error) {
    return statusAndName(error as ServiceError);
  }
}

const HTTP2_MS = 3000;

/** Whether the server on this loopback port answers a request in cleartext HTTP/2. */
export function speaksHttp2(port: number): Promise<'yes' | 'no'> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const end = (answer: 'yes' | 'no'): void => {
      resolve(answer);
      session.destroy();
    };
    session.setTimeout(HTTP2_MS, () => end('no'));
    session.once('error', () => end('no'));
    session.once('close', () => resolve('no'));
    const stream = session.request({ ':path': '/' });
    stream.once('response', () => end('yes'));
    stream.on('error', () => end('no'));
  });
}

/** Asks everything, one after the other; a probe that fails says so instead of an answer. */
export async function askAll<Client>(
  probes: readonly Probe<Client>[],
  client: Client,
): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const { ask } of probes) {
    answers.push(await ask(client).catch((error: ServiceError) => statusAndName(error)));
  }
  return answers;
}
