/** Which input goes on with what another one had read, by the configurations before and after. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import * as z from 'zod/mini';
import { ChunkIds } from '../../../producer/forward/chunk-ids.ts';
import { forwardOptions } from '../../../producer/forward/options.ts';
import { handOver } from '../../../producer/hand-over.ts';
import { inputName } from '../../../producer/input.ts';
import { journaldOptions } from '../../../producer/journald/options.ts';
import { type Json, StateMap } from '../../../producer/state.ts';
import { Generation, UNREAD } from '../../../producer/tail/generation.ts';
import { tailOptions } from '../../../producer/tail/options.ts';

const HOUR = 3_600_000;

const tail = (path: string | string[], more = {}) =>
  z.parse(tailOptions, { type: 'tail', path, tag: 't', format: 'none', ...more });
const journald = (more = {}) => z.parse(journaldOptions, { type: 'journald', tag: 't', ...more });
const forward = (listen: string | string[]) => z.parse(forwardOptions, { type: 'forward', listen });

type State = Record<string, Exclude<Json, null>>;

/** Sections with this state, after inputs were configured; and what was logged. */
function after(inputs: Parameters<typeof handOver>[0], before: Record<string, State>) {
  const sections = new Map<string, StateMap>();
  for (const name of [...Object.keys(before), ...inputs.map(inputName)])
    sections.set(name, new StateMap(Object.entries(before[name] ?? {})));
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => void logged.push(JSON.parse(line)) });
  handOver(inputs, sections, log);
  return { sections, logged };
}

/** The offsets by log of a section that was written `age` milliseconds ago. */
function section(offsets: Record<string, number>, age = 0): State {
  const state: State = { started: 1e12 - age };
  Object.entries(offsets).forEach(([log, offset], i) => {
    state[`gen ${i + 1}`] = new Generation(i + 1, log, log, { ...UNREAD, offset }).toJson();
  });
  return state;
}

function offsets(state: StateMap | undefined): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [key, value] of state?.entries() ?? []) {
    if (!key.startsWith('gen ')) continue;
    const { log, read } = Generation.fromJson(key, 1, value);
    assert.ok(!(log in found), `${log} twice`);
    found[log] = read.offset;
  }
  return found;
}

const CASES: Record<string, [Parameters<typeof handOver>[0], Record<string, State>, Record<string, object>]> =
  {
    'a path is added': [
      [tail(['/a', '/b'])],
      { 'tail:/a': section({ '/a': 1 }) },
      { 'tail:/a,/b': { '/a': 1 }, 'tail:/a': {} },
    ],
    'one becomes two': [
      [tail('/a'), tail('/b')],
      { 'tail:/a,/b': section({ '/a': 1, '/b': 2 }) },
      { 'tail:/a': { '/a': 1 }, 'tail:/b': { '/b': 2 }, 'tail:/a,/b': {} },
    ],
    'two become one': [
      [tail('/*')],
      { 'tail:/a': section({ '/a': 1 }), 'tail:/b': section({ '/b': 2 }) },
      { 'tail:/*': { '/a': 1, '/b': 2 } },
    ],
    'a log goes to an input with an id that stays': [
      [tail('/a', { id: 'one' }), tail(['/b', '/c'], { id: 'two' })],
      { 'tail:one': section({ '/a': 1, '/b': 2 }), 'tail:two': section({ '/c': 3 }) },
      { 'tail:one': { '/a': 1 }, 'tail:two': { '/b': 2, '/c': 3 } },
    ],
    'an input that still follows the log keeps it, and the second one begins': [
      [tail('/a'), tail('/a', { id: 'second' })],
      { 'tail:/a': section({ '/a': 1 }) },
      { 'tail:/a': { '/a': 1 }, 'tail:second': {} },
    ],
    'both read the log, and one of them stops': [
      [tail('/a')],
      { 'tail:/a': section({ '/a': 1 }), 'tail:/a,/b': section({ '/a': 2, '/b': 3 }) },
      { 'tail:/a': { '/a': 1 }, 'tail:/a,/b': { '/a': 2, '/b': 3 } },
    ],
    'an input that comes back takes what was read since': [
      [tail('/a')],
      { 'tail:/a': section({ '/a': 1 }, HOUR), 'tail:/a,/b': section({ '/a': 2, '/b': 3 }) },
      { 'tail:/a': { '/a': 2 }, 'tail:/a,/b': { '/b': 3 } },
    ],
    'of several former inputs the last one counts': [
      [tail('/*')],
      { 'tail:/a': section({ '/a': 1 }, HOUR), 'tail:/a,/b': section({ '/a': 2, '/b': 3 }) },
      { 'tail:/*': { '/a': 2, '/b': 3 }, 'tail:/a': { '/a': 1 } },
    ],
    'a log that no input follows stays, an excluded one as well': [
      [tail('/*', { exclude_path: '/b' })],
      { 'tail:/a,/b': section({ '/a': 1, '/b': 2 }) },
      { 'tail:/*': { '/a': 1 }, 'tail:/a,/b': { '/b': 2 } },
    ],
    'a rotated file that was a log of its own stays with its log': [
      [tail('/a.log')],
      { 'tail:/a*,/b*': section({ '/a.log': 1, '/a.log.1': 2, '/b.log.1': 3 }) },
      { 'tail:/a.log': { '/a.log': 1, '/a.log.1': 2 }, 'tail:/a*,/b*': { '/b.log.1': 3 } },
    ],
  };

for (const [what, [inputs, before, expected]] of Object.entries(CASES)) {
  test(what, () => {
    const { sections } = after(inputs, before);
    for (const [name, logs] of Object.entries(expected))
      assert.deepEqual(offsets(sections.get(name)), logs, name);
  });
}

test('an input that goes on with logs is not at its first start', () => {
  const before = { 'tail:/a': section({ '/a': 1 }), 'tail:/b': section({ '/b': 2 }, HOUR) };
  const { sections } = after([tail('/*'), tail('/new')], before);
  assert.equal(sections.get('tail:/*')!.get('started'), 1e12);
  assert.equal(sections.get('tail:/new')!.get('started'), undefined);
});

test('a journal is read on behind the cursor of the input that was there before', () => {
  const early = 's=1;i=2;t=5f0000000000;x=0';
  const late = 's=1;i=1;t=600000000000;x=0';
  const cursorsAfter = (inputs: Parameters<typeof handOver>[0], cursors: Record<string, string>) => {
    const before = Object.entries(cursors).map(([name, cursor]) => [name, { cursor }]);
    const { sections } = after(inputs, Object.fromEntries(before));
    return Object.fromEntries([...sections].map(([name, state]) => [name, state.get('cursor')]));
  };
  assert.deepEqual(cursorsAfter([journald({ units: ['a', 'b'] })], { 'journald:a': late }), {
    ...{ 'journald:a': undefined, 'journald:a,b': late },
  });
  assert.deepEqual(
    cursorsAfter([journald({ units: ['a', 'b'] })], { 'journald:a': late, 'journald:b': early }),
    { 'journald:a': undefined, 'journald:b': undefined, 'journald:a,b': early },
  );
  assert.deepEqual(
    cursorsAfter([journald({ units: ['a'] }), journald({ units: ['c'] })], { 'journald:a,b': late }),
    { 'journald:a,b': undefined, 'journald:a': late, 'journald:c': undefined },
  );
  assert.deepEqual(cursorsAfter([journald({ id: 'system' })], { 'journald:a': late }), {
    ...{ 'journald:a': undefined, 'journald:system': late },
  });
  assert.deepEqual(
    cursorsAfter([journald({ id: 'a' }), journald({ units: ['a'] })], { 'journald:a': late }),
    {
      'journald:a': late,
    },
  );
});

test('messages of a former listener are recognized, and its unfinished lines go on', () => {
  const ids = (state: StateMap): ChunkIds => new ChunkIds({ ttl: HOUR, max: 100 }, state);
  const written = (...names: string[]): State => {
    const state = new StateMap();
    const known = ids(state);
    for (const name of names) known.add(name, 0);
    known.beforeCut(0);
    return Object.fromEntries(state.entries()) as State;
  };
  const before = {
    'forward:127.0.0.1:1': { ...written('x'), 'part/1': { waits: true } },
    'forward:127.0.0.1:2': written('y'),
  };
  const { sections, logged } = after([forward('127.0.0.1:2'), forward(['unix:/s', '127.0.0.1:1'])], before);
  const heir = sections.get('forward:unix:/s,127.0.0.1:1')!;
  assert.ok(ids(heir).has('x') && heir.has('part/1'));
  assert.ok(!ids(sections.get('forward:127.0.0.1:2')!).has('x'));
  assert.equal(sections.get('forward:127.0.0.1:1')!.size, 0);
  assert.equal(logged.length, 1);

  const moved = after([forward('127.0.0.1:2')], before).sections.get('forward:127.0.0.1:2')!;
  assert.ok(ids(moved).has('x') && ids(moved).has('y') && moved.has('part/1'));

  const gone = after([tail('/a')], before);
  assert.ok(gone.sections.get('forward:127.0.0.1:1')!.has('part/1'));
  assert.match(JSON.stringify(gone.logged), /unfinished lines of a former input stay in the state/);
});
