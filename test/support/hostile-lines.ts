/** The lines that the build makes of hostile events, by each of its paths: a followed file, a forward client, foreign records. */
import { gunzipSync } from 'node:zlib';
import { RefusedError } from '../../producer/forward/errors.ts';
import { EventTaker } from '../../producer/forward/events.ts';
import { jsonToMsgpack } from '../../producer/forward/json-msgpack.ts';
import { readMessage } from '../../producer/forward/message.ts';
import { openArchiver } from './archiver.ts';
import { Cuts } from './cuts.ts';
import { parserOf } from './format-harness.ts';
import type { Hostile } from './hostile-events.ts';
import { MemoryArchive } from './memory-archive.ts';
import { array, int, str } from './msgpack-values.ts';

const NOW = Date.parse('2026-11-23T21:00:00Z');

/** The lines of a followed file with format `json`. */
export function tailLines({ json }: Hostile): string[] {
  const { parser, take } = parserOf({ type: 'json' });
  for (const line of json) {
    const bytes = Buffer.from(line as string);
    parser.parse(bytes, 0, bytes.length);
  }
  return take().map((taken) => taken.json);
}

/** The lines of a forward client that sends msgpack, and JSON where that is a message of its own. */
export function forwardLines({ json, msgpack }: Hostile): string[] {
  const cuts = new Cuts({ auto: false, now: () => NOW, maxTags: 10 });
  const options = { tagPrefix: null, routes: [], transform: {}, placeholders: {}, joinPartials: true };
  const taker = new EventTaker(options, cuts.context, { input: 'forward' });
  const take = (bytes: Buffer): void => {
    const message = readMessage(bytes, 0, bytes.length)!;
    taker.take(message, bytes, message.from, message.to);
  };
  const at = int(NOW / 1000);
  for (const one of msgpack) take(array([str('app'), array([array([at, one])])]));
  for (const line of json) {
    const text = Buffer.concat([
      Buffer.from(`["app",${NOW / 1000},`),
      Buffer.from(line as string),
      Buffer.from(']'),
    ]);
    const bytes = converted(text);
    if (bytes !== null) take(bytes);
  }
  cuts.cut();
  return cuts.lines.map(({ line }) => line);
}

/** Null for what the input refuses: the client gets no ack. */
function converted(text: Buffer): Buffer | null {
  try {
    return jsonToMsgpack(text, 0, text.length);
  } catch (error) {
    if (error instanceof RefusedError) return null;
    throw error;
  }
}

/** The lines of foreign records, each of one of them. */
export async function foreignLines({ json, msgpack }: Hostile): Promise<string[]> {
  const archive = new MemoryArchive();
  const archiver = await openArchiver(archive, { now: () => NOW });
  const records = [...json.map((line) => Buffer.from(line as string)), ...msgpack];
  await archiver.take(
    records.map((data, i) => ({ sequence: `${1000 + i}`, arrival: NOW, data })),
    false,
  );
  await archiver.end();
  const bytes = [...archive.objects]
    .filter(([key]) => key.startsWith('logs/'))
    .map(([, body]) => gunzipSync(body));
  return Buffer.concat(bytes).toString().split('\n').slice(0, -1);
}
