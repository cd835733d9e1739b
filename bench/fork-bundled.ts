/** Runs the measured side of a bench as it ships: bundled, and so without the memory used to strip types. */
import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { basename, join, resolve } from 'node:path';
import { build } from 'esbuild';

/**
 * Bundles a program into `directory`.
 *
 * @param program its path from this folder
 * @returns the path of the bundle
 */
export async function bundleProgram(program: string, directory: string): Promise<string> {
  await build({
    entryPoints: [resolve(import.meta.dirname, program)],
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    external: ['winston-transport'],
    logLevel: 'error',
    // What CommonJS packages inside the bundle require.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);",
    },
  });
  return join(directory, basename(program).replace('.ts', '.mjs'));
}

/**
 * Bundles a program into `directory` and starts it.
 *
 * @param program its path, from this folder where relative
 */
export async function forkBundled(
  program: string,
  directory: string,
  args: readonly string[],
  options: ForkOptions = {},
): Promise<ChildProcess> {
  const bundled = await bundleProgram(program, directory);
  // The flag with which infra/systemd/tailrace.sh starts it.
  const execArgv = ['--max-semi-space-size=2', ...(options.execArgv ?? [])];
  return fork(bundled, args, { ...options, execArgv });
}
