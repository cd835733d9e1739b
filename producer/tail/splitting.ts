/** The splitter of a file, as its input's options say: lines or events of several, in whatever encoding. */
import { closeSync, readSync } from 'node:fs';
import type { TextDecoder } from 'node:util';
import { compileFormat, groupingOf, type LogFile, needsFile } from '../format/compile.ts';
import type { LineParser, Target } from '../format/parser.ts';
import type { Transform } from '../format/transform.ts';
import { DecodingParser, decoderOf, WideSplitter } from './encoding.ts';
import { endsWith, GroupSplitter } from './groups.ts';
import { LineSplitter, MultilineSplitter, type Splitter } from './lines.ts';
import { openFollowed } from './links.ts';
import type { TailOptions } from './options.ts';
import { ZerosSplitter } from './zeros.ts';

/** Bytes at a file's beginning that a header is looked for in. */
const HEAD_BYTES = 64 * 1024;

/** A parser with where its events go. */
export interface FileParser {
  readonly parser: LineParser;
  readonly target: Target;
}

/** Whether each file needs a parser of its own. */
export function parserPerFile(options: TailOptions): boolean {
  return needsFile(options.format) || addsPath(options);
}

/** Whether events carry the path of their log. */
export function addsPath({ add = {} }: TailOptions): boolean {
  return Object.values(add).some((value) => typeof value === 'string' && value.includes(`\${${FILE_PATH}}`));
}

/** What stands for the path in an added field. */
export const FILE_PATH = 'file_path';

/** @param file the path that the log is configured under */
export function createParser(
  options: TailOptions,
  target: Target,
  transform: Transform,
  file: string,
): LineParser {
  if (!needsFile(options.format)) return compileFormat(options.format, target, transform);
  return compileFormat(options.format, target, transform, logFile(file, options));
}

function logFile(path: string, { encoding, symlinks }: TailOptions): LogFile {
  try {
    const fd = openFollowed(path, symlinks);
    try {
      const bytes = Buffer.alloc(HEAD_BYTES);
      const head = bytes.subarray(0, readSync(fd, bytes, 0, HEAD_BYTES, 0));
      const text = encoding === undefined ? head.toString('utf8') : decoderOf(encoding).decode(head);
      return {
        path,
        head: text
          .replace(/^\ufeff/, '')
          .split(/\r?\n/)
          .slice(0, -1),
      };
    } finally {
      closeSync(fd);
    }
  } catch {
    // Gone, or not to be read: its lines say the same when they come.
    return { path, head: [] };
  }
}

/** Whether an event of the input can be of several lines. */
export function joinsLines({ multiline, format }: TailOptions): boolean {
  return multiline !== undefined || groupingOf(format) !== null;
}

export function createSplitter(
  options: TailOptions,
  { parser, target }: FileParser,
  transform: Transform,
): Splitter {
  const { encoding, max_line_size: maxLine } = options;
  const decoder = encoding === undefined ? null : decoderOf(encoding);
  const wide = decoder?.encoding.startsWith('utf-16') ?? false;
  // Every other byte of it may be zero.
  if (decoder !== null && wide) {
    return new WideSplitter(decoder, new LineSplitter(parser, target, maxLine, transform), 2 * maxLine);
  }
  const lines = createLineSplitter(options, decoder, { parser, target }, transform);
  return new ZerosSplitter(lines, target.tally, maxLine);
}

function createLineSplitter(
  { format, multiline, max_line_size: maxLine }: TailOptions,
  decoder: TextDecoder | null,
  { parser, target }: FileParser,
  transform: Transform,
): Splitter {
  const decoded = decoder === null ? parser : new DecodingParser(decoder, parser);
  const grouping =
    multiline?.end === undefined ? groupingOf(format) : endsWith(new RegExp(multiline.end, 'u'));
  if (grouping !== null) return new GroupSplitter(decoded, target, grouping, maxLine, transform);
  if (multiline === undefined) return new LineSplitter(decoded, target, maxLine, transform);
  const { start, continuation } = multiline;
  const pattern = new RegExp((start ?? continuation)!, 'u');
  const begins = (line: string): boolean => pattern.test(line) === (start !== undefined);
  return new MultilineSplitter(decoded, target, begins, maxLine, transform);
}
