/** The files of another agent's configuration: the one that is named, those that it includes, and those of its parsers. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { TailraceError } from '../../base/errors.ts';
import { systemReason } from '../../base/system-error.ts';
import { parseFluentBit } from './fluent-bit.ts';
import { parseFluentd } from './fluentd.ts';
import { type Note, Section } from './section.ts';
import { parseYaml, yamlIncludes } from './yaml.ts';

const MAX_DEPTH = 20;
const TOML =
  "Vector's TOML is not read: make YAML of it with vector convert-config --output-format yaml, and import that";
const FLUENTD_YAML =
  "fluentd's YAML is not read: write it in fluentd's other syntax, with <source> and <match>, and import that";
const BY_HAND =
  'write an input for each of its paths (docs/formats.md), and switch as docs/migrating.md has it for other agents';
const FILEBEAT = `Filebeat's configuration is not read: ${BY_HAND}`;
const CLOUDWATCH = `the CloudWatch agent's configuration is not read: ${BY_HAND}`;
const INCLUDE = /^\s*@include\s+(\S.*?)\s*$/i;

/** Lines are numbered through all files, in the order in which they are read. */
export class Files {
  readonly #places: string[] = [];
  readonly sections: Section[] = [];

  /** @throws TailraceError CONFIG when it cannot be read, or is not a configuration of any of the three */
  constructor(file: string) {
    this.#add(file, 0);
    const parsers = this.sections
      .filter(({ role }) => role === 'service')
      .flatMap((service) => service.takeAll('parsers_file'));
    for (const { value, line } of parsers) {
      for (const name of value.split(',')) {
        const path = beside(file, name.trim());
        const before = this.sections.length;
        if (globSync(path).length === 0)
          this.sections.push(new Section('other', `parsers_file ${name.trim()}: no such file`, line));
        else this.#add(path, 0);
        // Only parsers are taken from it.
        const own = this.sections.splice(before);
        this.sections.push(...own.filter(({ role }) => role !== 'service'));
      }
    }
  }

  /** @returns `file:line` */
  place({ line }: Pick<Note, 'line'>): string {
    return this.#places[line - 1] ?? '';
  }

  #add(file: string, depth: number): void {
    const text = read(file);
    // The lines before it, so that its own are numbered behind them.
    const before = '\n'.repeat(this.#places.length);
    const lines = this.#expanded(file, text, depth);
    try {
      const whole = lines.join('\n');
      if (/^\s*<(source|match|filter|label|system)\b/m.test(whole))
        this.sections.push(...parseFluentd(before + whole));
      else if (/^\s*\[(service|input|output|filter|parser|multiline_parser)\]/im.test(whole))
        this.sections.push(...parseFluentBit(before + whole));
      else if (/^\s*\[+(sources|transforms|sinks)\./m.test(whole)) throw new Error(TOML);
      else if (/^config:\s*$/m.test(whole) && /^\s*-?\s*source:/m.test(whole)) throw new Error(FLUENTD_YAML);
      else if (/^filebeat(\.\w+)*:/m.test(whole)) throw new Error(FILEBEAT);
      else if (/"logs_collected"\s*:/.test(whole)) throw new Error(CLOUDWATCH);
      else {
        this.sections.push(...parseYaml(before + text));
        for (const { value, line } of yamlIncludes(before + text)) this.#include(file, value, line, depth);
      }
    } catch (cause) {
      if (cause instanceof TailraceError) throw cause;
      const [first = ''] = (cause as Error).message.split('\n');
      const said = first.replaceAll(/line (\d+)/g, (_, line: string) => this.#named(file, Number(line)));
      throw new TailraceError('CONFIG', `${file}: ${said}`, { cause });
    }
  }

  /** A file that a YAML configuration includes, which has sections of its own. */
  #include(file: string, pattern: string, line: number, depth: number): void {
    const files = included(file, pattern);
    if (files.length === 0 || depth >= MAX_DEPTH)
      this.sections.push(
        new Section(
          'other',
          `includes ${pattern}: ${depth >= MAX_DEPTH ? 'nested too deeply' : 'no such file'}`,
          line,
        ),
      );
    else for (const each of files) this.#add(each, depth + 1);
  }

  /** The lines of a file, with those of the files that it includes in place of the lines that do so. */
  #expanded(file: string, text: string, depth: number): string[] {
    return text.split(/\r?\n/).flatMap((line, i) => {
      const pattern = INCLUDE.exec(line)?.[1]?.replaceAll(/^["']|["']$/g, '');
      const files = pattern === undefined || depth >= MAX_DEPTH ? [] : included(file, pattern);
      // What is not found stays, and is listed.
      if (files.length > 0) return files.flatMap((each) => this.#expanded(each, read(each), depth + 1));
      this.#places.push(`${file}:${i + 1}`);
      return [line];
    });
  }

  #named(file: string, line: number): string {
    const place = this.#places[line - 1] ?? '';
    return place.startsWith(`${file}:`) ? `line ${place.slice(file.length + 1)}` : place;
  }
}

function beside(file: string, name: string): string {
  return isAbsolute(name) ? name : join(dirname(file), name);
}

function included(file: string, pattern: string): string[] {
  return /^https?:/.test(pattern) ? [] : globSync(beside(file, pattern)).sort();
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new TailraceError('CONFIG', `${file}: cannot be read: ${systemReason(cause)}`, { cause });
  }
}
