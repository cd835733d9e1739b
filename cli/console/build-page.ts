/** Bundles the console's page: what `npm run package` puts into a package, and a checkout makes when it starts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const PAGE = join(import.meta.dirname, 'page');

/** The files by their names. */
export async function buildPage(): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: { console: join(PAGE, 'main.tsx') },
    outdir: '/',
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: ['chrome120', 'firefox121', 'safari17'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'inline',
    logLevel: 'warning',
  });
  const files = new Map<string, Uint8Array>();
  for (const { path, contents } of outputFiles) files.set(path.slice(path.lastIndexOf('/') + 1), contents);
  for (const name of ['index.html', 'icon.svg']) files.set(name, readFileSync(join(PAGE, name)));
  return files;
}
