/** Where the answer of a query goes: row by row to stdout, or whole to a file. */
import { once } from 'node:events';
import {
  copyFileSync,
  createReadStream,
  createWriteStream,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Progress } from '../progress.ts';
import type { Engine } from './engine.ts';
import { type TextFormat, type Write, writeResult } from './result.ts';

export interface AnswerOptions {
  readonly format: TextFormat | 'parquet';
  readonly output: string | undefined;
  readonly folder: string;
  readonly line: Progress | null;
}

const PROGRESS_MS = 200;

export async function answer(engine: Engine, sql: string, options: AnswerOptions): Promise<void> {
  const { format, output, folder, line } = options;
  const timer = setInterval(() => {
    const percent = Math.floor(engine.percentage);
    if (percent > 0) line?.show(percent, 100, 'percent');
  }, PROGRESS_MS);
  try {
    const staged = join(folder, 'result');
    await engine.guarded(async () => {
      if (format === 'parquet') {
        await engine.copyToParquet(sql, staged);
        return;
      }
      const write = output === undefined ? toStdout(line) : await toFile(staged);
      const width = process.stdout.columns ?? 120;
      try {
        await writeResult(await engine.stream(sql), format, write.write, width);
      } finally {
        await write.end();
      }
    });
    if (output !== undefined) await deliver(staged, resolve(output));
  } finally {
    clearInterval(timer);
  }
}

interface Sink {
  readonly write: Write;
  end(): Promise<void>;
}

function toStdout(line: Progress | null): Sink {
  return {
    write: async (data) => {
      line?.clear();
      if (!process.stdout.write(data)) await once(process.stdout, 'drain');
    },
    end: async () => {},
  };
}

async function toFile(path: string): Promise<Sink> {
  const file = await open(path, 'w');
  return {
    write: async (data) => {
      await file.writeFile(data);
    },
    end: () => file.close(),
  };
}

/** A pipe or a device is written to; a link stays, and what it leads to is the file. */
async function deliver(staged: string, output: string): Promise<void> {
  const found = statSync(output, { throwIfNoEntry: false });
  if (!found) moveFile(staged, output);
  else if (found.isFile()) moveFile(staged, realpathSync(output));
  else await pipeline(createReadStream(staged), createWriteStream(output));
}

/** A result is there as a whole or not at all. */
function moveFile(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const next = `${to}.${process.pid}.part`;
    try {
      copyFileSync(from, next);
      renameSync(next, to);
    } finally {
      rmSync(next, { force: true });
    }
  }
}
