/** The project's documents, and what a test looks for in them. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export interface Document {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
}

/** All pages that people read, in the order of their paths. */
export function documents(): Document[] {
  return globSync(['*.md', 'docs/**/*.md', 'local/*.md', 'test/**/*.md', '.github/**/*.md'], { cwd: ROOT })
    .sort()
    .map(readDocument);
}

export function readDocument(path: string): Document {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** What a document shows to be typed or written: code spans, with line breaks as blanks, and the lines of code blocks. */
export interface Code {
  readonly spans: readonly string[];
  readonly blocks: readonly { readonly language: string; readonly text: string }[];
}

export function codeOf(text: string): Code {
  const blocks: { language: string; text: string }[] = [];
  const prose = text
    .replace(/^( *)```(\w*)\n(.*?)^\1```$/gms, (_, indent: string, language: string, body: string) => {
      blocks.push({ language, text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), '') });
      return '\n';
    })
    // Indented by four or more after an empty line; in a list by more.
    .replace(/(?<=\n\n)(?: {4,}\S[^\n]*\n+)+/g, (body) => {
      blocks.push({ language: '', text: body });
      return '\n';
    });
  const spans = [...prose.matchAll(/(?<!`)`([^`]+)`(?!`)/g)].map(([, span]) => span!.replaceAll(/\s+/g, ' '));
  return { spans, blocks };
}

/** The rows of the first table under a heading, as their cells, without the head. */
export function rowsUnder(text: string, heading: string): string[][] {
  const from = text.indexOf(`\n${heading}\n`);
  if (from === -1) throw new Error(`no heading ${heading}`);
  const table = /^\|.*(?:\n\|.*)*/m.exec(text.slice(from + 1 + heading.length));
  if (!table) throw new Error(`no table under ${heading}`);
  return table[0].split('\n').slice(2).map(cellsOf);
}

export function cellsOf(line: string): string[] {
  return line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

export function isRule(cells: readonly string[]): boolean {
  return cells.every((cell) => /^:?-{3,}:?$/.test(cell));
}

/** The code blocks of a document that are marked as of a language. */
export function codeBlocks(path: string, language: string): string[] {
  const pattern = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms');
  return [...readDocument(path).text.matchAll(pattern)].map(([, block]) => block!);
}
