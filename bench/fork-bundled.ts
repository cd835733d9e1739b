/** Runs the measured side of a bench as it ships: bundled, and so without the memory of what strips types. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Bundles a file of bench/ into `directory` and starts it. */
export async function forkBundled(
  name: string,
  directory: string,
  args: readonly string[],
): Promise<ChildProcess> {
  const outfile = join(directory, `${name}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    logLevel: 'error',
    // What CommonJS packages inside the bundle ask for.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  // The flag with which infra/systemd/tailrace.sh starts it.
  return fork(outfile, args, { execArgv: ['--max-semi-space-size=2'] });
}
