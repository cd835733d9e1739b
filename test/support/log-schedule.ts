/** Random schedules of what people and programs do to log files, and the account of what an input made of them. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { TailHarness } from './tail-harness.ts';

const STEPS = [
  'write',
  'write',
  'write',
  'write',
  'rename',
  'move',
  'copy',
  'copytruncate',
  'compress',
  'link',
  'restore',
  'swap',
  'remount',
  'cut',
  'turn',
  'turn',
  'settle',
  'wait',
  'crash',
  'start',
] as const;

export type Step = (typeof STEPS)[number];

export interface Outcome {
  readonly lost: string[];
  readonly repeated: string[];
  readonly trace: readonly string[];
}

/** A schedule over two logs in a folder that a pattern covers, with a second folder that another one covers. */
export class LogSchedule {
  readonly #folder: string;
  readonly #random: () => number;
  readonly #tail: TailHarness;
  readonly #trace: string[] = [];
  readonly #names = new Set<string>();
  /** Inodes of what was written since the last time that everything was read. */
  readonly #unsettled = new Set<number>();
  /** Whether files are restored that neither content nor age tells from a next generation: lines may come twice then. */
  readonly #ambiguous: boolean;
  #up = false;
  #written = 0;
  #logged = 0;

  /** @param random numbers from 0 to 1, by a seed that is reported on failure */
  constructor(folder: string, random: () => number) {
    this.#folder = folder;
    this.#random = random;
    this.#ambiguous = random() < 0.2;
    fs.mkdirSync(path.join(folder, 'old'));
    this.#tail = new TailHarness({
      path: [path.join(folder, '*'), path.join(folder, 'old', '*')],
      rotate_wait: '1ms',
    });
  }

  async run(steps: number): Promise<Outcome> {
    for (const log of ['access.log', 'error.log']) this.#write(log);
    await this.#start();
    this.#tail.cut();
    for (let i = 0; i < steps; i++) {
      const step = this.#pick(STEPS);
      await this.#step(step);
    }
    await this.#start();
    await this.#tail.settle();
    this.#note('end');
    await this.#tail.crash();
    return this.#outcome();
  }

  async #step(step: Step): Promise<void> {
    const log = this.#pick(['access.log', 'error.log']);
    switch (step) {
      case 'write':
        return this.#note(step, this.#write(log));
      case 'rename':
        if (!this.#exists(log)) return;
        return this.#note(step, this.#rename(log, this.#newName(log)));
      case 'move': {
        const file = this.#pick(this.#plain());
        if (file === undefined) return;
        const to = path.join(file.startsWith('old/') ? '' : 'old', this.#newName(path.basename(file)));
        return this.#note(step, this.#rename(file, to));
      }
      case 'copy': {
        const file = this.#pick(this.#plain());
        if (file === undefined) return;
        const to = this.#newName(path.basename(file));
        fs.copyFileSync(this.#at(file), this.#at(to));
        this.#unsettled.add(fs.statSync(this.#at(to)).ino);
        return this.#note(step, `${file} → ${to}`);
      }
      case 'copytruncate': {
        if (!this.#exists(log)) return;
        const to = this.#newName(log);
        fs.copyFileSync(this.#at(log), this.#at(to));
        fs.truncateSync(this.#at(log));
        this.#unsettled.add(fs.statSync(this.#at(to)).ino);
        return this.#note(step, `${log} → ${to}`);
      }
      case 'compress':
        return this.#compress();
      case 'link': {
        const file = this.#pick(this.#plain());
        if (file === undefined) return;
        const to = this.#newName('link');
        if (this.#random() < 0.5) fs.linkSync(this.#at(file), this.#at(to));
        else fs.symlinkSync(this.#at(file), this.#at(to));
        return this.#note(step, `${file} → ${to}`);
      }
      case 'restore': {
        const file = this.#pick(this.#plain());
        if (file === undefined) return;
        // Where another name still holds the old file, the new one at the log's path may be its next generation; and a
        // copy of a file that was never seen is older than that file once it is restored.
        const { nlink, ino } = fs.statSync(this.#at(file));
        const isLink = fs.lstatSync(this.#at(file)).isSymbolicLink();
        if (!this.#ambiguous && (nlink > 1 || isLink || this.#unsettled.has(ino))) return;
        const temporary = this.#at('.restoring');
        fs.copyFileSync(this.#at(file), temporary);
        fs.renameSync(temporary, this.#at(file));
        return this.#note(step, file);
      }
      case 'swap': {
        const logs = ['access.log', 'error.log'];
        if (!logs.every((name) => fs.lstatSync(this.#at(name), { throwIfNoEntry: false })?.isFile())) return;
        this.#rename('access.log', '.swapping');
        this.#rename('error.log', 'access.log');
        this.#rename('.swapping', 'error.log');
        return this.#note(step);
      }
      case 'remount':
        if (this.#up) return;
        this.#tail.remount();
        return this.#note(step);
      case 'crash':
        if (!this.#up) return;
        await this.#tail.crash();
        this.#up = false;
        return this.#note(step);
      case 'start':
        if (this.#up) return;
        await this.#start();
        return this.#note(step);
      default:
        await this.#run(step);
    }
  }

  async #run(step: 'cut' | 'turn' | 'settle' | 'wait'): Promise<void> {
    if (!this.#up) return;
    if (step === 'cut') this.#tail.cut();
    else if (step === 'turn') await new Promise((resolve) => setImmediate(resolve));
    else if (step === 'settle') {
      await this.#tail.settle();
      this.#unsettled.clear();
    }
    if (step === 'wait') await new Promise((resolve) => setTimeout(resolve, this.#random() * 5));
    this.#note(step);
  }

  async #start(): Promise<void> {
    if (this.#up) return;
    await this.#tail.start();
    this.#up = true;
  }

  #compress(): void {
    const file = this.#pick(this.#plain().filter((name) => !name.endsWith('.log')));
    if (file === undefined) return;
    const at = this.#at(file);
    if (fs.lstatSync(at).isSymbolicLink()) return;
    const zstd = this.#random() < 0.3;
    const to = `${at}.${zstd ? 'zst' : 'gz'}`;
    const { atime, mtime } = fs.statSync(at);
    const bytes = fs.readFileSync(at);
    fs.writeFileSync(to, zstd ? zstdCompressSync(bytes) : gzipSync(bytes));
    fs.utimesSync(to, atime, mtime);
    fs.unlinkSync(at);
    this.#note('compress', `${file} → ${path.basename(to)}`);
  }

  #write(log: string): string {
    const count = 1 + Math.floor(this.#random() * this.#random() * 60);
    const from = this.#written;
    let text = '';
    for (let i = 0; i < count; i++) text += `${log} line ${this.#written++}\n`;
    fs.appendFileSync(this.#at(log), text);
    this.#unsettled.add(fs.statSync(this.#at(log)).ino);
    return `${log} ${from}-${this.#written - 1}`;
  }

  #rename(from: string, to: string): string {
    fs.renameSync(this.#at(from), this.#at(to));
    return `${from} → ${to}`;
  }

  #newName(base: string): string {
    for (;;) {
      const number = Math.floor(this.#random() * 1e6);
      const stem = base.split('.')[0]!;
      const name = this.#pick([
        `${stem}.log.${number}`,
        `${stem}-${number}.log.bk`,
        `${number}_${stem}`,
        `${stem}__2026-11-23_${number}.txt`,
        `moved ${number}`,
        `${stem}.log~${number}`,
      ]);
      if (this.#names.has(name)) continue;
      this.#names.add(name);
      return name;
    }
  }

  /** The plain files there are, by their paths inside the folder. */
  #plain(): string[] {
    return fs
      .readdirSync(this.#folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !/\.(gz|zst)$/.test(entry.name))
      .map((entry) => path.relative(this.#folder, path.join(entry.parentPath, entry.name)))
      .filter((name) => fs.existsSync(this.#at(name)))
      .sort();
  }

  #at(name: string): string {
    return path.join(this.#folder, name);
  }

  #exists(name: string): boolean {
    return fs.existsSync(this.#at(name));
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }

  #note(step: string, what = ''): void {
    for (const { msg, file, offset, of } of this.#tail.logged.slice(this.#logged))
      this.#trace.push(`    ${msg}: ${file} ${offset ?? of ?? ''}`.replaceAll(`${this.#folder}/`, ''));
    this.#logged = this.#tail.logged.length;
    this.#trace.push(`${step} ${what}`);
  }

  #outcome(): Outcome {
    const seen = new Map<string, number>();
    for (const message of this.#tail.messages()) seen.set(message, (seen.get(message) ?? 0) + 1);
    const numbers = new Set([...seen.keys()].map((message) => Number(message.split(' ').at(-1))));
    const lost = Array.from({ length: this.#written }, (_, i) => i).filter((i) => !numbers.has(i));
    const repeated = [...seen].flatMap(([message, count]) =>
      count > 1 && !this.#ambiguous ? [message] : [],
    );
    return { lost: lost.map(String), repeated, trace: this.#trace };
  }
}
