/**
 * Writes uniquely numbered lines at full speed to two logs: one rotated by rename and create, the other by
 * copytruncate, during which it pauses its writes. Argument: the folder. Each message is the number of lines to write next and
 * is answered once they are written.
 */
import { appendFileSync, copyFileSync, existsSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LINES_A_WRITE = 400;
const LINES_A_ROTATION = 30_000;
const KEPT = 60;

const directory = process.argv[2]!;
const renamed = join(directory, 'renamed.log');
const truncated = join(directory, 'truncated.log');
let last = 0;
let sinceRotation = 0;

function shift(path: string): void {
  for (let n = KEPT; n >= 1; n--)
    if (existsSync(`${path}.${n}`)) renameSync(`${path}.${n}`, `${path}.${n + 1}`);
}

function rotate(): void {
  shift(renamed);
  renameSync(renamed, `${renamed}.1`);
  writeFileSync(renamed, '');
  shift(truncated);
  copyFileSync(truncated, `${truncated}.1`);
  truncateSync(truncated);
}

function write(lines: number): void {
  for (const end = last + lines; last < end; ) {
    const text: string[] = ['', ''];
    for (let i = 0; i < LINES_A_WRITE && last < end; i++) {
      last++;
      text[last % 2] += `line ${last}\n`;
      sinceRotation++;
    }
    appendFileSync(renamed, text[0]!);
    appendFileSync(truncated, text[1]!);
    if (sinceRotation >= LINES_A_ROTATION) {
      sinceRotation = 0;
      rotate();
    }
  }
}

process.on('message', (lines: number) => {
  write(lines);
  process.send!(last);
});
