/** The table of what is done with a file, by what it holds and what the ledger knows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Candidate, decide, type FileFacts } from '../../../../producer/tail/decide.ts';

const FILE: FileFacts = {
  where: 'named',
  compressed: false,
  size: 500,
  fresh: false,
  news: true,
  restored: false,
};

function known(facts: Partial<Candidate<string>> = {}): Candidate<string> {
  return {
    generation: 'a',
    offset: 500,
    whole: false,
    noted: false,
    ended: false,
    sure: true,
    sameFile: false,
    begins: true,
    longer: false,
    holds: true,
    cut: false,
    whereabouts: 'gone',
    opaque: false,
    ofThisLog: false,
    copy: () => false,
    outgrows: () => false,
    ...facts,
  };
}

const copy = { copy: () => true };

interface Row {
  readonly title: string;
  readonly file?: Partial<FileFacts>;
  readonly known?: readonly Partial<Candidate<string>>[];
  /** The action, and where reading begins; `repeats` and `alike` are how it errs. */
  readonly expected: string;
}

const ROWS: readonly Row[] = [
  { title: 'nothing known, under a pattern', expected: 'read' },
  { title: 'nothing known, at a log that was followed', file: { where: 'log' }, expected: 'read' },
  { title: 'nothing known, next to a log, written since', file: { where: 'adjacent' }, expected: 'read' },
  {
    title: 'nothing known, older than its log',
    file: { where: 'adjacent', news: false },
    expected: 'history',
  },
  { title: 'nothing known, no name of rotation', file: { where: 'foreign' }, expected: 'ignore' },
  {
    title: 'compressed, nothing known, not news',
    file: { compressed: true, news: false },
    expected: 'history',
  },
  {
    title: 'the same file, grown',
    file: { size: 900 },
    known: [{ sameFile: true }],
    expected: 'follow a 500',
  },
  {
    title: 'the same file, cut by a power loss',
    file: { size: 400 },
    known: [{ sameFile: true, holds: false, cut: true }],
    expected: 'follow a 400',
  },
  { title: 'the same file, truncated', known: [{ sameFile: true, holds: false }], expected: 'truncated a' },
  {
    title: 'the same compressed file, read to its end',
    file: { compressed: true },
    known: [{ sameFile: true, whole: true }],
    expected: 'pass a',
  },
  { title: 'moved or restored, nothing new', known: [{}], expected: 'follow a 500' },
  {
    title: 'a shorter copy of a file without a name that is still open',
    file: { size: 200 },
    known: [{ holds: false, longer: true, ...copy }],
    expected: 'wait a',
  },
  {
    title: 'at its log, what the earlier file holds elsewhere: an editor put it there, or it begins alike',
    file: { where: 'log', size: 900 },
    known: [{ whereabouts: 'present', ofThisLog: true }],
    expected: 'read repeats',
  },
  {
    title: 'the same of a short one',
    file: { where: 'log', size: 900 },
    known: [{ whereabouts: 'present', ofThisLog: true, sure: false }],
    expected: 'read repeats',
  },
  {
    title: 'a copy that is older than the file of the generation',
    file: { size: 900 },
    known: [{ whereabouts: 'present', copy: () => 'older' }],
    expected: 'read repeats',
  },
  { title: 'moved or restored, and grown', file: { size: 900 }, known: [{}], expected: 'follow a 500' },
  {
    title: 'begins as a short log that is gone',
    file: { size: 900 },
    known: [{ sure: false }],
    expected: 'follow a 500 alike',
  },
  { title: 'moved to a name next to the log', file: { where: 'adjacent' }, known: [{}], expected: 'pass a' },
  {
    title: 'found in a search',
    file: { where: 'foreign', size: 900 },
    known: [{}],
    expected: 'follow a 500',
  },
  {
    title: 'shorter than a vanished log',
    file: { size: 300 },
    known: [{ holds: false }],
    expected: 'read repeats',
  },
  {
    title: 'shorter, but restored with its times',
    file: { size: 300, restored: true },
    known: [{ holds: false }],
    expected: 'follow a 300',
  },
  { title: 'a copy of what is followed', known: [{ whereabouts: 'present' }], expected: 'wait a' },
  {
    title: 'a copy of a log with unread lines',
    file: { size: 700 },
    known: [{ whereabouts: 'present', ...copy }],
    expected: 'wait a',
  },
  {
    title: 'half a copy',
    file: { size: 300 },
    known: [{ whereabouts: 'present', ...copy }],
    expected: 'wait a',
  },
  {
    title: 'another log that begins alike',
    file: { size: 700 },
    known: [{ whereabouts: 'present' }],
    expected: 'read',
  },
  {
    title: 'the next file of a log whose last one lies elsewhere, however alike',
    file: { where: 'log' },
    known: [{ whereabouts: 'present', ...copy }],
    expected: 'read',
  },
  {
    title: 'a short generation next to the log that begins as an ended one',
    file: { where: 'adjacent', size: 300 },
    known: [{ whereabouts: 'present', ended: true, holds: false, ...copy }],
    expected: 'read',
  },
  { title: 'a copy of what was truncated', known: [{ whereabouts: 'copies' }], expected: 'pass a' },
  {
    title: 'a copy with the rest of what was truncated',
    file: { size: 900 },
    known: [{ whereabouts: 'copies' }],
    expected: 'follow a 500',
  },
  {
    title: 'what comes after a truncation, however alike',
    file: { where: 'log', size: 900 },
    known: [{ whereabouts: 'copies' }],
    expected: 'read',
  },
  {
    title: 'the longer one of two copies',
    file: { size: 900 },
    known: [{ whereabouts: 'present', outgrows: () => true }],
    expected: 'follow a 500',
  },
  {
    title: 'a copy of what is being read from a compressed file',
    file: { size: 900 },
    known: [{ whereabouts: 'present', opaque: true }],
    expected: 'later a',
  },
  { title: 'compressed, all read', file: { compressed: true }, known: [{}], expected: 'pass a' },
  {
    title: 'compressed before its end was read',
    file: { compressed: true, size: 900 },
    known: [{}],
    expected: 'follow a 500',
  },
  {
    title: 'compressed while the file itself is there',
    file: { compressed: true, size: 900 },
    known: [{ whereabouts: 'present', ...copy }],
    expected: 'wait a',
  },
  {
    title: 'of two compressed generations that begin alike, the one that is left',
    file: { compressed: true, size: -1 },
    known: [
      { generation: 'b', whole: true, whereabouts: 'present', offset: 900 },
      { generation: 'c', offset: 200 },
    ],
    expected: 'follow c 200',
  },
  {
    title: 'the furthest of several that it may be',
    file: { size: 900 },
    known: [{ generation: 'b', offset: 100 }, {}],
    expected: 'follow a 500',
  },
  { title: 'a noted copy, as it was', known: [{ noted: true, sameFile: true }], expected: 'pass a' },
  {
    title: 'a noted copy that goes on by itself',
    file: { size: 900 },
    known: [{ noted: true, sameFile: true }],
    expected: 'follow a 500',
  },
  {
    title: 'a noted copy that has become different from its original',
    file: { size: 900 },
    known: [
      { noted: true, sameFile: true },
      { generation: 'b', whereabouts: 'present' },
    ],
    expected: 'read repeats',
  },
  {
    title: 'a noted copy whose original was truncated',
    file: { size: 900 },
    known: [
      { noted: true, sameFile: true, offset: 900 },
      { generation: 'b', whereabouts: 'copies' },
    ],
    expected: 'follow b 500',
  },
  {
    title: 'a copy of a noted copy',
    known: [{ noted: true, whereabouts: 'present' }],
    expected: 'wait a',
  },
];

for (const { title, file, known: generations = [], expected } of ROWS) {
  test(`${title}: ${expected}`, () => {
    const action = decide({ ...FILE, ...file }, generations.map(known));
    const parts: (string | number)[] = [action.do];
    if ('generation' in action) parts.push(action.generation);
    if (action.do === 'follow') parts.push(action.offset, ...(action.alike ? ['alike'] : []));
    if (action.do === 'read' && action.repeats) parts.push('repeats');
    assert.equal(parts.join(' '), expected);
  });
}
