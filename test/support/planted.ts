/** Plants faults in copies of the source, at the rules that comments mark there: `// rule: …`. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = path.join(import.meta.dirname, '..', '..');

export interface Planted {
  readonly rule: string;
  readonly file: string;
  /** Instead of the line after the marker. */
  readonly instead: string;
}

/** The line after the marker replaced; further markers may stand between. */
export function planted(text: string, { rule, file, instead }: Planted): string {
  const lines = text.split('\n');
  const marker = lines.findIndex((line) => line.trim() === `// rule: ${rule}`);
  assert.notEqual(marker, -1, `${file} has no line "// rule: ${rule}"`);
  let at = marker + 1;
  while (lines[at]!.trim().startsWith('//')) at += 1;
  assert.notEqual(lines[at]!.trim(), instead, 'the fault changes something');
  lines[at] = instead;
  return lines.join('\n');
}

/** The rules that are marked in the sources of a folder, in order. */
export function rulesIn(folder: string, without: readonly string[] = []): string[] {
  const marked: string[] = [];
  for (const file of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || without.includes(file.split(path.sep, 1)[0]!)) continue;
    const text = fs.readFileSync(path.join(folder, file), 'utf8');
    for (const [, rule] of text.matchAll(/^\s*\/\/ rule: (.+)$/gm)) marked.push(rule!);
  }
  return marked.sort();
}

/** A copy of the archive's code, for faults. */
export class CopiedSource {
  readonly #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-planted-'));

  constructor(context: { after(fn: () => void): void }) {
    context.after(() => fs.rmSync(this.#folder, { recursive: true }));
    fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(this.#folder, 'node_modules'));
    fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(this.#folder, 'package.json'));
    for (const folder of ['base', 'chunk', 'archive'])
      fs.cpSync(path.join(ROOT, folder), path.join(this.#folder, folder), { recursive: true });
  }

  plant(fault: Planted): void {
    const file = path.join(this.#folder, fault.file);
    fs.writeFileSync(file, planted(fs.readFileSync(file, 'utf8'), fault));
  }

  load<T>(file: string): Promise<T> {
    return import(pathToFileURL(path.join(this.#folder, file)).href) as Promise<T>;
  }
}
