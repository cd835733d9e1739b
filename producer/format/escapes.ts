/** Undoes the escapes that servers write into their logs. */
import type { Escape } from './log-format.ts';

const BACKSLASH = 0x5c;

/** Value of a hex digit, or -1. */
function hex(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** What a one-letter escape stands for, or -1. */
function letter(byte: number | undefined): number {
  switch (byte) {
    case 0x22:
    case 0x5c:
    case 0x2f:
      return byte;
    case 0x62:
      return 8;
    case 0x66:
      return 12;
    case 0x6e:
      return 10;
    case 0x72:
      return 13;
    case 0x74:
      return 9;
    case 0x76:
      return 11;
    default:
      return -1;
  }
}

/**
 * Decodes `source[from, to)` into `target`, which is at least as long, and returns the bytes written. What is not
 * an escape of the server's stays as it is.
 */
export function decodeEscapes(
  target: Uint8Array,
  source: Uint8Array,
  from: number,
  to: number,
  escaping: Escape,
): number {
  let at = 0;
  for (let i = from; i < to; i++) {
    const byte = source[i]!;
    if (byte === BACKSLASH && escaping !== 'none' && i + 1 < to) {
      const next = source[i + 1];
      if (next === 0x78 && escaping !== 'json' && i + 3 < to) {
        const value = hex(source[i + 2]) * 16 + hex(source[i + 3]);
        if (hex(source[i + 2]) >= 0 && hex(source[i + 3]) >= 0) {
          target[at++] = value;
          i += 3;
          continue;
        }
      } else if (next === 0x75 && escaping === 'json' && i + 5 < to) {
        let value = 0;
        for (let k = 2; k < 6; k++)
          value = hex(source[i + k]) < 0 ? Number.NaN : value * 16 + hex(source[i + k]);
        // nginx writes only control characters so, Tomcat all above 0x7e. Half of a pair is left for its reader.
        if (value < 0x80) {
          target[at++] = value;
          i += 5;
          continue;
        }
        if (value < 0x800) {
          target[at++] = 0xc0 | (value >> 6);
          target[at++] = 0x80 | (value & 0x3f);
          i += 5;
          continue;
        }
        if (value < 0xd800 || value > 0xdfff) {
          target[at++] = 0xe0 | (value >> 12);
          target[at++] = 0x80 | ((value >> 6) & 0x3f);
          target[at++] = 0x80 | (value & 0x3f);
          i += 5;
          continue;
        }
      } else if (escaping !== 'nginx') {
        const value = letter(next);
        if (value >= 0) {
          target[at++] = value;
          i++;
          continue;
        }
      }
    }
    target[at++] = byte;
  }
  return at;
}
