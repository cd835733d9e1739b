/** SHA-256, in hex, of a text or of bytes in parts. */
import { createHash } from 'node:crypto';

export function sha256(body: string | Uint8Array | readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  if (Array.isArray(body)) for (const part of body as readonly Uint8Array[]) hash.update(part);
  else hash.update(body as string | Uint8Array);
  return hash.digest('hex');
}
