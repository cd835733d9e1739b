/** The rules of the tidy check: pure functions from what is known of the files to the offences among them. */
import { posix } from 'node:path';
import type { FileFacts } from './facts.ts';

/** One line for people: the place, what is wrong there, and what to do about it. */
export type Offence = string;

const MAX_FUNCTION_LINES = 80;

/** What each folder may import besides itself; a name that ends in .ts is that file alone. */
export type Layers = Readonly<Record<string, readonly string[]>>;

const folderOf = (path: string): string => path.split('/')[0]!;

/** An import may only go down: to a folder that the importing one is allowed. */
export function layerOffences(files: readonly FileFacts[], layers: Layers): Offence[] {
  return files.flatMap(({ path, imports }) => {
    const folder = folderOf(path);
    const allowed = layers[folder];
    if (allowed === undefined)
      return [`${path}: ${folder}/ is not a layer yet: add it to LAYERS with what it may import`];
    return imports
      .filter((each) => {
        const to = folderOf(each.path);
        return to !== folder && !allowed.includes(to) && !allowed.includes(each.path);
      })
      .map(
        (each) =>
          `${path}:${each.line}: ${folder}/ may not import ${each.path} (only ${[folder, ...allowed].join(', ')}): ` +
          'move what both need down to a layer that both may import',
      );
  });
}

/** Files that import each other in a circle; each circle once, as the files on its way. */
export function cycleOffences(files: readonly FileFacts[]): Offence[] {
  const targets = new Map(files.map(({ path, imports }) => [path, imports.map((each) => each.path)]));
  const done = new Set<string>();
  const way: string[] = [];
  const offences: Offence[] = [];
  const visit = (path: string): void => {
    const at = way.indexOf(path);
    if (at !== -1)
      offences.push(`${[...way.slice(at), path].join(' → ')}: these files import each other in a circle`);
    if (at !== -1 || done.has(path)) return;
    way.push(path);
    for (const target of targets.get(path) ?? []) visit(target);
    way.pop();
    done.add(path);
  };
  for (const { path } of files) visit(path);
  return offences;
}

/** An export that no file imports: either nobody needs it, or only its own file does. `entries` are loaded by path. */
export function deadExportOffences(files: readonly FileFacts[], entries: readonly string[]): Offence[] {
  const used = new Map<string, Set<string>>();
  for (const { path, names } of files.flatMap(({ imports }) => imports)) {
    const known = used.get(path) ?? new Set();
    for (const name of names) known.add(name);
    used.set(path, known);
  }
  return files
    .filter(({ path }) => !entries.some((entry) => posix.matchesGlob(path, entry)))
    .flatMap(({ path, exports }) => {
      const names = used.get(path);
      return exports
        .filter(({ name, inSignature }) => !(inSignature || names?.has(name) || names?.has('*')))
        .map(
          ({ line, name }) =>
            `${path}:${line}: no file imports ${name}: remove it, or its \`export\` if the file needs it`,
        );
    });
}

/** Functions of more lines than a reader keeps in mind; `exceptions` names today's, as `path name`. */
export function longFunctionOffences(files: readonly FileFacts[], exceptions: readonly string[]): Offence[] {
  const long = files.flatMap(({ path, functions }) =>
    functions
      .filter(({ lines }) => lines > MAX_FUNCTION_LINES)
      .map((each) => ({ ...each, path, key: `${path} ${each.name}` })),
  );
  const idle = exceptions.filter((exception) => !long.some(({ key }) => key === exception));
  return [
    ...long
      .filter(({ key }) => !exceptions.includes(key))
      .map(
        ({ path, line, name, lines }) =>
          `${path}:${line}: ${name} has ${lines} lines, at most ${MAX_FUNCTION_LINES}: split it into named steps`,
      ),
    ...idle.map((key) => `${key}: is short enough now: remove it from LONG_FUNCTIONS`),
  ];
}

/** A file says in its first sentence what it is, and exports its own; a test is introduced by its titles. */
export function fileOffences(files: readonly FileFacts[]): Offence[] {
  return files.flatMap(({ path, introduced, reexports }) => [
    ...(introduced || !/(?<!\.d|\.test)\.m?ts$/.test(path)
      ? []
      : [`${path}:1: open the file with a sentence that says what it is: /** … */`]),
    ...reexports.map(
      (line) => `${path}:${line}: import from the file that defines it instead of passing it on`,
    ),
  ]);
}

/** Unit tests that do not mirror the source: a reader finds the tests of a file in the folder of the same name. */
export function mirrorOffences(files: readonly FileFacts[]): Offence[] {
  const unit = 'test/unit/';
  const folders = files.map(({ path }) => posix.dirname(path));
  return files
    .filter(({ path }) => path.startsWith(unit))
    .map(({ path }) => ({ path, mirrored: posix.dirname(path.slice(unit.length)) }))
    .filter(
      ({ mirrored }) =>
        mirrored !== '.' && !folders.some((folder) => `${folder}/`.startsWith(`${mirrored}/`)),
    )
    .map(
      ({ path, mirrored }) => `${path}: there is no folder ${mirrored}/: move the test to that of its source`,
    );
}

/** Tests whose course nobody can repeat: chance has a seed, and the seed is printed. */
export function chanceOffences(files: readonly FileFacts[]): Offence[] {
  return files
    .filter(({ path }) => folderOf(path) === 'test')
    .flatMap(({ path, chance }) =>
      chance.map(
        ({ line, name }) =>
          `${path}:${line}: ${name} has no seed: take chance(context) of test/support/random.ts, or a generator`,
      ),
    );
}

/** A wording that readers stumble over, and what to write. */
interface Wording {
  readonly pattern: RegExp;
  readonly write: string;
}

const PERSON =
  'people|person|anyone|anybody|someone|somebody|everyone|everybody|nobody|no one|those|one|users?|operators?|' +
  'engineers?|readers?|contributors?|maintainers?|developers?|callers?|outsiders?|visitors?|strangers?|attackers?';

export const WORDINGS: readonly Wording[] = [
  { pattern: /\bcan(?: not|'t)\b/, write: '"cannot"' },
  {
    pattern: /\b(?<!\bthere )(?:is|are|was|were|be) no (?!longer|more|less|fewer|later|earlier|such thing)/i,
    write: '"is not a …"',
  },
  { pattern: /\bagain\b/, write: '"retry", "reload", "resend", "reopen", "rerun"' },
  {
    pattern: new RegExp(`(?<!\\b(?:${PERSON}),? )(?<!-)\\bwho\\b(?!ever)`, 'i'),
    write: '"a client that …", "whoever"',
  },
  { pattern: /\bmend(?:s|ed|ing)?\b/, write: '"fix", "repair"' },
  { pattern: /\bfor ever\b/, write: '"forever"' },
  { pattern: /\banew\b/, write: '"again" as a verb of its own: "reload", "rewrite"' },
  { pattern: /\btold\b/, write: '"reported", "notified", "tell … apart" in the present' },
  { pattern: /\bbeside\b/, write: '"next to", "with", "besides"' },
  { pattern: /\bknows? no\b/, write: '"does not support", "does not know"' },
  { pattern: /\b(?:stand|stands|stood|standing) in\b/, write: '"is in"' },
];

/** Wordings that are not used in comments, strings and documents, apart from the folders in `off`. */
export function wordingOffences(
  files: readonly Pick<FileFacts, 'path' | 'prose'>[],
  off: readonly string[],
): Offence[] {
  return files
    .filter(({ path }) => !off.some((folder) => path === folder || path.startsWith(`${folder}/`)))
    .flatMap(({ path, prose }) =>
      prose.flatMap(({ line, text }) =>
        WORDINGS.flatMap(({ pattern, write }) =>
          [...oneLine(text).matchAll(new RegExp(pattern.source.replaceAll(' ', ' +'), 'gi'))].map(
            ({ 0: found, index }) => {
              const at = line + text.slice(0, index).split('\n').length - 1;
              return `${path}:${at}: "${found.replaceAll(/ +/g, ' ')}": write ${write}`;
            },
          ),
        ),
      ),
    );
}

/** The same text with every line's end, and the mark of a comment after it, as blanks: a sentence goes on over them. */
function oneLine(text: string): string {
  return text.replaceAll(/\n[ \t]*(?:\*|\/\/|#|>)?[ \t]*/g, (gap) => ' '.repeat(gap.length));
}
