/** Whether an object store keeps what the whole archive rests on: a conditional write never replaces what stands there. */
import { TailraceError } from '../base/errors.ts';
import { CONDITIONAL_WRITE_PROBE } from './commit-keys.ts';
import type { ArchiveStore } from './store.ts';

const BODY = [Buffer.from('Written by tailrace to learn whether this store obeys If-None-Match.\n')];

/**
 * Writes one small object twice; it stays there for the next start.
 *
 * @throws TailraceError CONDITIONAL_WRITES when the second write is not refused
 */
export async function requireConditionalWrites(store: ArchiveStore, prefix: string): Promise<void> {
  const key = prefix + CONDITIONAL_WRITE_PROBE;
  await store.putIfAbsent(key, BODY, 'commit');
  if ((await store.putIfAbsent(key, BODY, 'commit')) === 'exists') return;
  throw new TailraceError(
    'CONDITIONAL_WRITES',
    `the object store ignored If-None-Match for ${key}: two archivers of one shard would both write, and events would be archived twice`,
  );
}
