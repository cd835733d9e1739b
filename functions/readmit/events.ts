/** Notifications of S3 inside messages of SQS: which objects are to be put back. */
import * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';

export const queueEvent = z.object({
  Records: z.array(z.object({ messageId: z.string(), body: z.string() })),
});

const notification = z.object({
  Records: z.array(
    z.object({
      s3: z.object({ bucket: z.object({ name: z.string() }), object: z.object({ key: z.string() }) }),
    }),
  ),
});
/** What S3 sends once when notifications are set up. */
const testNotification = z.object({ Event: z.literal('s3:TestEvent') });

export interface ObjectName {
  readonly bucket: string;
  readonly key: string;
}

/** @throws TailraceError BAD_NOTIFICATION when the message is not one of S3's */
export function objectsOf(body: string): ObjectName[] {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw new TailraceError('BAD_NOTIFICATION', 'a message in the queue is not JSON', { cause });
  }
  if (testNotification.safeParse(json).success) return [];
  const parsed = notification.safeParse(json);
  if (!parsed.success) {
    throw new TailraceError('BAD_NOTIFICATION', 'a message in the queue is not a notification from S3');
  }
  return parsed.data.Records.map(({ s3 }) => ({ bucket: s3.bucket.name, key: decodeKey(s3.object.key) }));
}

/** Keys in notifications are encoded as in a form: a space is a plus. */
function decodeKey(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}
