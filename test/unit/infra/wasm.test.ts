/** WebAssembly that is checked in: it is what its source gives. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compiled, SOURCES, targetOf } from '../../../infra/wasm.ts';

for (const source of SOURCES)
  test(`the module of ${source}.as is what its source gives`, async () => {
    assert.equal(await compiled(source), readFileSync(targetOf(source), 'utf8'), 'run: npm run build:wasm');
  });
