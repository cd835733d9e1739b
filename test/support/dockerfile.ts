/** Does without an engine what a stage of infra/docker/Dockerfile says: adds the tarballs, and knows what would run. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const DOCKERFILE = join(import.meta.dirname, '../../infra/docker/Dockerfile');

export interface Image {
  /** The program of the entry point, found in the image by its PATH. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Commands that only an engine can run. */
  readonly run: readonly string[];
}

/**
 * @param context the folder of the build
 * @param root where the image's files go
 * @throws AssertionError when a step is not one that this knows, or finds nothing
 */
export function buildImage(target: string, context: string, root: string): Image {
  const run: string[] = [];
  const env: Record<string, string> = {};
  const variables: Record<string, string> = {};
  let entry: string[] = [];
  let command: string[] = [];
  for (const [word, rest] of stepsOf(target)) {
    const text = rest.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => variables[name] ?? env[name] ?? '');
    const [first = '', second = ''] = text.split(/[\s=](.*)/s);
    if (word === 'ARG') variables[first] = second;
    else if (word === 'ENV') env[first] = second;
    else if (word === 'RUN') run.push(text);
    else if (word === 'ENTRYPOINT') entry = JSON.parse(text) as string[];
    else if (word === 'CMD') command = JSON.parse(text) as string[];
    else if (word === 'ADD') addTarballs(join(context, first), join(root, second));
    else assert.ok(['VOLUME', 'USER', 'STOPSIGNAL'].includes(word), `${word} ${rest}`);
  }
  const places = env['PATH']!.split(':').map((folder) => join(root, folder, entry[0]!));
  const program = places.find((path) => globSync(path).length > 0);
  assert.ok(program, `${entry[0]} is not in ${env['PATH']}`);
  return { program, args: [...entry.slice(1), ...command], env, run };
}

/** The instructions of a stage, each with what follows it. */
function stepsOf(target: string): [string, string][] {
  const stages = readFileSync(DOCKERFILE, 'utf8')
    .split(/^FROM /m)
    .slice(1);
  const stage = stages.find((text) => text.startsWith('debian') && / AS (\w+)/.exec(text)?.[1] === target);
  assert.ok(stage, `no stage ${target}`);
  return stage
    .split('\n')
    .slice(1)
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]);
}

/** An engine unpacks a local tarball that it adds. */
function addTarballs(pattern: string, folder: string): void {
  const tarballs = globSync(pattern);
  assert.ok(tarballs.length > 0, `nothing is named ${pattern}`);
  mkdirSync(folder, { recursive: true });
  for (const tarball of tarballs) execFileSync('tar', ['-C', folder, '-xzf', tarball]);
}
