/** Bundles each function into one file, `dist/functions/<name>/index.mjs`, for the runtime of Lambda. */
import { join } from 'node:path';
import { type BuildResult, build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');

export const FUNCTIONS = [
  'drain-start',
  'drain-finish',
  'drain-watch',
  'readmit',
  'scale',
  'archive',
  'compact',
] as const;

/** @param outdir where the folders of the functions go */
export async function bundle(outdir = join(ROOT, 'dist', 'functions')): Promise<BuildResult> {
  return await build({
    absWorkingDir: ROOT,
    entryPoints: FUNCTIONS.map((name) => ({ in: `functions/${name}.ts`, out: `${name}/index` })),
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    // Names stay in stack traces and in errors that are distinguished by name.
    keepNames: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    // Some dependencies are CommonJS and ask for modules of Node.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    // Native code: it is packaged next to the one function that loads it.
    external: ['@duckdb/node-api'],
    legalComments: 'none',
    logLevel: 'warning',
  });
}

if (import.meta.main) await bundle();
