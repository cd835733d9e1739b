/** The files of the console's page: those of a package, or in a checkout bundled from their sources. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TailraceError } from '../../base/errors.ts';

export interface PageFile {
  readonly type: string;
  readonly body: Uint8Array;
  readonly etag: string;
}

/** Next to the bundled programs of a package. */
const PACKAGED = join(import.meta.dirname, 'console-page');

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/**
 * By path.
 *
 * @throws TailraceError CONFIG in a checkout without its development packages
 */
export async function pageFiles(): Promise<Map<string, PageFile>> {
  const files = existsSync(PACKAGED)
    ? new Map(readdirSync(PACKAGED).map((name) => [name, readFileSync(join(PACKAGED, name))]))
    : await built();
  return new Map(
    [...files].map(([name, body]) => [
      `/${name}`,
      {
        body,
        type: TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
        etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`,
      },
    ]),
  );
}

async function built(): Promise<Map<string, Uint8Array>> {
  const { buildPage } = await import('./build-page.ts').catch((cause: unknown) => {
    throw new TailraceError(
      'CONFIG',
      'the page cannot be made without esbuild: run npm run setup in the checkout',
      {
        cause,
      },
    );
  });
  return buildPage();
}
