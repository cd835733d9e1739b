/**
 * How the agent compresses: by zlib or zstd at the level that the configuration names, and where it names none gzip by our
 * own encoder. What that writes is read back before it leaves; at the first chunk that is not what went in, zlib
 * compresses that one, and all others of the run.
 */
import { crc32 } from 'node:zlib';
import type { Logger } from 'pino';
import { Deflater } from '../chunk/deflate.ts';
import type { Compression, DeflateEncoder } from '../chunk/writer.ts';
import type { AgentConfig } from './config.ts';
import type { Counters } from './counters.ts';

/** zlib's, where our own encoder cannot run, takes as much CPU as that does. */
const LEVELS = { gzip: 3, zstd: 1 } as const;

/** What is known about lines that our own encoder did not compress well. */
export interface DeflateFault {
  readonly rawBytes: number;
  /** CRC-32 of the lines, in hexadecimal. */
  readonly crc: string;
  /** What it threw, if it did. */
  readonly err?: unknown;
}

/** @param fault called at most once, when our own encoder is given up */
export function compressionOf(
  configured: AgentConfig['compression'],
  fault: (fault: DeflateFault) => void,
): Compression {
  if (typeof configured !== 'string') return configured;
  const compression = { codec: configured, level: LEVELS[configured] };
  const deflater = configured === 'gzip' ? Deflater.create() : null;
  return deflater ? { ...compression, deflater: new WatchedDeflater(deflater, fault) } : compression;
}

/** Counts and logs a fault. */
export function faultReport(counters: Counters, log: Logger): (fault: DeflateFault) => void {
  return (fault) => {
    counters.add('tailrace_agent_deflate_faults_total');
    log.error(
      fault,
      'a chunk did not decompress to its lines when read back; nothing is lost: zlib compresses it and all others until the next start; report this line as a bug',
    );
  };
}

/** An encoder that is asked until it fails once. */
export class WatchedDeflater implements DeflateEncoder {
  #deflater: DeflateEncoder | null;
  readonly #fault: (fault: DeflateFault) => void;

  constructor(deflater: DeflateEncoder, fault: (fault: DeflateFault) => void) {
    this.#deflater = deflater;
    this.#fault = fault;
  }

  deflate(raw: Uint8Array): readonly Buffer[] | null {
    if (this.#deflater === null) return null;
    let err: unknown;
    try {
      const parts = this.#deflater.deflate(raw);
      if (parts !== null) return parts;
    } catch (error) {
      err = error;
    }
    this.#deflater = null;
    const about = { rawBytes: raw.length, crc: crc32(raw).toString(16).padStart(8, '0') };
    this.#fault(err === undefined ? about : { ...about, err });
    return null;
  }
}
