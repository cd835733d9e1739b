/** A log of uniquely numbered lines, rotated as logrotate does, with an account of what happened to them. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';

export class NumberedLog {
  readonly file: string;
  written = 0;
  readonly #prefix: string;
  readonly #line: (n: number) => string;

  /** @param line returns the line of a number, without its newline */
  constructor(
    file: string,
    prefix = path.basename(file),
    line: (n: number) => string = (n) => `${prefix} ${n}`,
  ) {
    this.file = file;
    this.#prefix = prefix;
    this.#line = line;
  }

  write(lines: number): void {
    let text = '';
    for (let i = 0; i < lines; i++) text += `${this.#line(this.written++)}\n`;
    fs.appendFileSync(this.file, text);
  }

  /** Moves .1 to .2 and so on, and the file itself to .1; no file is left at the path. */
  rename(create = true): void {
    this.#shift();
    if (fs.existsSync(this.file)) fs.renameSync(this.file, `${this.file}.1`);
    if (create) fs.closeSync(fs.openSync(this.file, 'a'));
  }

  /** Copies the file to .1 and empties it. */
  copyTruncate(): void {
    this.#shift();
    fs.copyFileSync(this.file, `${this.file}.1`);
    fs.truncateSync(this.file, 0);
  }

  compress(generation: number): void {
    const plain = `${this.file}.${generation}`;
    const { atime, mtime } = fs.statSync(plain);
    fs.writeFileSync(`${plain}.gz`, gzipSync(fs.readFileSync(plain)));
    fs.utimesSync(`${plain}.gz`, atime, mtime);
    fs.unlinkSync(plain);
  }

  /** Removes files rotated more than `kept` times. */
  forget(kept: number): void {
    for (const suffix of ['', '.gz']) fs.rmSync(`${this.file}.${kept + 1}${suffix}`, { force: true });
  }

  /** Asserts that the messages are this log's lines, each once, in any order. */
  assertOnce(messages: readonly string[]): void {
    const numbers = messages
      .filter((message) => message.startsWith(`${this.#prefix} `))
      .map((message) => Number(message.slice(this.#prefix.length + 1)))
      .sort((a, b) => a - b);
    const seen = new Set(numbers);
    const lost = Array.from({ length: this.written }, (_, i) => i).filter((i) => !seen.has(i));
    const repeated = numbers.filter((number, i) => number === numbers[i - 1]);
    assert.deepEqual(
      { lost: lost.slice(0, 20), repeated: repeated.slice(0, 20) },
      { lost: [], repeated: [] },
    );
    assert.equal(numbers.length, this.written);
  }

  #shift(): void {
    const folder = path.dirname(this.file);
    const names = fs.readdirSync(folder).filter((name) => name.startsWith(`${path.basename(this.file)}.`));
    const numbered = names
      .map((name) => ({ name, match: /\.(\d+)(\.gz)?$/.exec(name)! }))
      .filter(({ match }) => match);
    for (const { name, match } of numbered.sort((a, b) => Number(b.match[1]) - Number(a.match[1]))) {
      const next = `${name.slice(0, -match[0].length)}.${Number(match[1]) + 1}${match[2] ?? ''}`;
      fs.renameSync(path.join(folder, name), path.join(folder, next));
    }
  }
}

/** A folder that is removed when the test ends. */
export function temporaryFolder(context: { after(fn: () => void): void }): string {
  const folder = fs.mkdtempSync(path.join(process.env.TMPDIR ?? '/tmp', 'tailrace-tail-'));
  context.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}
