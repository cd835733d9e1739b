/** Counts the lines of a folder of objects as one library reads them: readers.mjs LIBRARY FOLDER. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as zlib from 'node:zlib';

const [library, folder] = process.argv.slice(2);
// From the folder of the installed packages, which is not this file's.
const load = createRequire(join(process.cwd(), 'package.json'));

const readers = {
  gunzip: (data) => zlib.gunzipSync(data),
  zstd: (data) => zlib.zstdDecompressSync(data),
  stream: async (data) => {
    const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream('gzip'));
    return Buffer.from(await new Response(stream).arrayBuffer());
  },
  fflate: (data) => load('fflate').gunzipSync(data),
  pako: (data) => load('pako').ungzip(data),
  fzstd: (data) => load('fzstd').decompress(data),
};

let lines = 0;
for (const file of readdirSync(folder)) {
  const content = await readers[library](readFileSync(join(folder, file)));
  for (const byte of content) if (byte === 10) lines += 1;
}
console.log(lines);
