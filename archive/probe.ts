/** Whether an object store keeps what the whole archive rests on: a conditional write never replaces what stands there. */
import { TailraceError } from '../base/errors.ts';
import { CONDITIONAL_WRITE_PROBE } from './commit-keys.ts';
import type { ArchiveStore } from './store.ts';

const BODY = [Buffer.from('Written by tailrace to learn whether this store obeys If-None-Match.\n')];
/** Writers at once of the first probe of an archive: a store that checks first and writes later lets several through. */
const RACERS = 8;

/**
 * Tries conditional writes on one small object, which stays there: the first time by several writers at once, of whom
 * one may win, and at later starts by one, who may not. It shows that a store is not atomic, and cannot prove that one is.
 *
 * @throws TailraceError CONDITIONAL_WRITES when a write is not refused that should be
 */
export async function requireConditionalWrites(store: ArchiveStore, prefix: string): Promise<void> {
  const key = prefix + CONDITIONAL_WRITE_PROBE;
  const write = (): Promise<'created' | 'exists'> => store.putIfAbsent(key, BODY, 'commit');
  let fault = 'ignored If-None-Match';
  if ((await store.head(key)) === null) {
    const answers = await Promise.all(Array.from({ length: RACERS }, write));
    const winners = answers.filter((answer) => answer === 'created').length;
    if (winners > 1) fault = `let ${winners} of ${RACERS} writers at once win with If-None-Match`;
    else if ((await write()) === 'exists') return;
  } else if ((await write()) === 'exists') return;
  throw new TailraceError(
    'CONDITIONAL_WRITES',
    `the object store ${fault} for ${key}: two archivers of one shard would both write, and events would be archived twice. See docs/compatibility.md`,
  );
}
