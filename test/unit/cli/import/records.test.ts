/**
 * The events of an imported configuration are those of the other agent: what Fluent Bit 5.1.1 and fluentd 1.19 made of
 * these lines with these configurations, but for the newline that the one leaves at the end of joined lines, and for the
 * name of a line without a format.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseFluentBit } from '../../../../cli/import/fluent-bit.ts';
import { parseFluentd } from '../../../../cli/import/fluentd.ts';
import type { Section } from '../../../../cli/import/section.ts';
import { imported } from '../../../support/imported.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

/** What an agent with the first imported input makes of a log, without tag, hour and the time of arrival. */
async function eventsOf(t: TestContext, sections: readonly Section[], log: string): Promise<unknown[]> {
  const [input] = imported(sections).config.inputs;
  const file = path.join(temporaryFolder(t), 'a.log');
  fs.writeFileSync(file, log);
  const tail = new TailHarness({ ...input, path: file, take_over: undefined, read_from_head: true });
  tail.clock = Date.UTC(2026, 10, 29);
  t.after(() => tail.crash());
  await tail.start();
  fs.renameSync(file, `${file}.1`);
  await tail.settle();
  return tail.events().map(({ tag: _tag, hour: _hour, _unparsed, ...event }) => event);
}

const fluentBit = (input: string, rest = ''): Section[] =>
  parseFluentBit(`[INPUT]\nName tail\nPath /a\nTag t\nrotate_wait 0.001\n${input}\n${rest}`);
const fluentd = (parse: string, rest = ''): Section[] =>
  parseFluentd(
    `<source>\n@type tail\npath /a\ntag t\nrotate_wait 0.001\n<parse>\n${parse}\n</parse>\n</source>\n${rest}`,
  );

const STATES = (cont: string): string =>
  `[MULTILINE_PARSER]\nName multi\nType regex\nFlush_Timeout 1000\nRule "start_state" "/^\\d{4}-\\d{2}-\\d{2} .*/" "cont"\nRule "cont" "${cont}" "cont"\n`;
const TRACE = 'a\n\tat x\nCaused by: y\n\t... 2 more\nb\n';
const JSON_PARSER = '[PARSER]\nName j\nFormat json\n';
const grep = (rules: string): string => `[FILTER]\nName grep\nMatch *\n${rules}`;

const CASES: readonly (readonly [name: string, sections: Section[], log: string, events: unknown[]])[] = [
  [
    'Fluent Bit: a multiline parser whose expressions stand between slashes',
    fluentBit('multiline.parser multi', STATES('/^\\s+at .*/')),
    '2026-11-28 a\n   at x\n   at y\n2026-11-28 b\n',
    [{ message: '2026-11-28 a\n   at x\n   at y' }, { message: '2026-11-28 b' }],
  ],
  [
    'Fluent Bit: all but a first line',
    fluentBit('multiline.parser multi', STATES('/^(?!\\d{4}-\\d{2}-\\d{2} ).*/')),
    '2026-11-28 a\n   at x\nCaused\n2026-11-28 b\n',
    [{ message: '2026-11-28 a\n   at x\nCaused' }, { message: '2026-11-28 b' }],
  ],
  [
    'Fluent Bit: java',
    fluentBit('multiline.parser java'),
    TRACE,
    [{ message: 'a\n\tat x\nCaused by: y\n\t... 2 more' }, { message: 'b' }],
  ],
  [
    'Fluent Bit: python',
    fluentBit('multiline.parser python'),
    'start\nTraceback (most recent call last):\n  File "a.py", line 2, in f\n    raise ValueError("x")\nValueError: x\nend\n',
    [
      { message: 'start' },
      {
        message:
          'Traceback (most recent call last):\n  File "a.py", line 2, in f\n    raise ValueError("x")\nValueError: x',
      },
      { message: 'end' },
    ],
  ],
  [
    'Fluent Bit: go',
    fluentBit('multiline.parser go'),
    'start\npanic: p\n\ngoroutine 4 [running]:\nmain.main.func1(0xc420024120)\n\tfoo.go:6 +0x39\nend\n',
    [
      { message: 'start' },
      { message: 'panic: p\n\ngoroutine 4 [running]:\nmain.main.func1(0xc420024120)\n\tfoo.go:6 +0x39' },
      { message: 'end' },
    ],
  ],
  [
    'Fluent Bit: ruby',
    fluentBit('multiline.parser ruby'),
    "start\n/x.rb:2:in `b': boom\n\tfrom /x.rb:5:in `<main>'\nend\n",
    [
      { message: 'start' },
      { message: "/x.rb:2:in `b': boom\n\tfrom /x.rb:5:in `<main>'" },
      { message: 'end' },
    ],
  ],
  [
    'Fluent Bit: lines of Docker and of CRI in one input',
    fluentBit('multiline.parser docker, cri'),
    '2026-11-28T13:49:54.2+00:00 stderr P par\n2026-11-28T13:49:54.3+00:00 stderr F tial\n{"log":"x\\n","stream":"stdout","time":"2026-11-28T13:49:54.1Z"}\n',
    [
      { time: '2026-11-28T13:49:54.200Z', stream: 'stderr', message: 'partial' },
      { time: '2026-11-28T13:49:54.100Z', stream: 'stdout', message: 'x' },
    ],
  ],
  [
    'Fluent Bit: a time that goes on behind its format, without a zone: UTC',
    fluentBit(
      'Parser r',
      '[PARSER]\nName r\nFormat regex\nRegex ^(?<time>\\S+) (?<m>.*)$\nTime_Key time\nTime_Format %Y-%m-%dT%H:%M:%S\n',
    ),
    '2026-11-28T13:00:00.5Z x\n2026-11-28T13:00:00 y\n',
    [
      { time: '2026-11-28T13:00:00.500Z', m: 'x' },
      { time: '2026-11-28T13:00:00Z', m: 'y' },
    ],
  ],
  [
    'Fluent Bit: any other time without a zone is UTC too',
    fluentBit(
      'Parser r',
      '[PARSER]\nName r\nFormat regex\nRegex ^(?<time>\\S+ \\S+) (?<m>.*)$\nTime_Key time\nTime_Format %d/%m/%Y %H:%M:%S\n',
    ),
    '28/11/2026 13:00:00 x\n',
    [{ time: '2026-11-28T13:00:00Z', m: 'x' }],
  ],
  [
    'Fluent Bit: an expression between slashes, with a flag',
    fluentBit('Parser j', JSON_PARSER + grep('Regex level /WARN/i')),
    '{"level":"warn"}\n{"level":"x"}\n',
    [{ level: 'warn' }],
  ],
  [
    'Fluent Bit: a regex decides alone, whatever is behind it',
    fluentBit(
      'Parser j',
      JSON_PARSER + grep('Exclude a ^1\nRegex level ^(warn|error)$\nExclude path ^/health'),
    ),
    '{"level":"error","path":"/health/1"}\n{"level":"info"}\n{"level":"warn","a":"1"}\n',
    [{ level: 'error', path: '/health/1' }],
  ],
  [
    'Fluent Bit: one of several regexes for one field',
    fluentBit('Parser j', JSON_PARSER + grep('Logical_Op or\nRegex a ^x\nRegex a y$')),
    '{"a":"xz"}\n{"a":"zy"}\n{"a":"z"}\n',
    [{ a: 'xz' }, { a: 'zy' }],
  ],
  [
    'Fluent Bit: values between quotes',
    fluentBit('Parser j', `${JSON_PARSER}[FILTER]\nName record_modifier\nMatch *\nRecord svc "my svc"\n`),
    '{"a":1}\n',
    [{ a: 1, svc: 'my svc' }],
  ],
  ['Fluent Bit: the name of a line', fluentBit('Key msg'), 'x\n', [{ msg: 'x' }]],
  [
    'fluentd: a first line between slashes',
    fluentd(
      '@type multiline\nformat_firstline /\\d{4}-\\d{1,2}-\\d{1,2}/\nformat1 /^(?<time>\\d{4}-\\d{1,2}-\\d{1,2} \\d{1,2}:\\d{1,2}:\\d{1,2}) (?<message>.*)/\ntimezone UTC',
    ),
    '2026-11-28 13:00:00 a\n\tat x\n2026-11-28 13:00:01 b\n',
    [
      { time: '2026-11-28T13:00:00Z', message: 'a\n\tat x' },
      { time: '2026-11-28T13:00:01Z', message: 'b' },
    ],
  ],
  [
    'fluentd: rules between slashes, with a flag and what only Ruby has',
    fluentd(
      '@type json',
      '<filter t>\n@type grep\n<regexp>\nkey level\npattern /\\A(WARN|error)\\z/i\n</regexp>\n<exclude>\nkey path\npattern /^\\/health\\/\\h+/\n</exclude>\n</filter>\n',
    ),
    '{"level":"warn","path":"/x"}\n{"level":"ERROR","path":"/health/1"}\n{"level":"info"}\n{"level":"error"}\n',
    [{ level: 'warn', path: '/x' }, { level: 'error' }],
  ],
  [
    'fluentd: ISO 8601 by name',
    fluentd('@type json\ntime_type string\ntime_format %iso8601\nkeep_time_key true'),
    '{"time":"2026-11-28T13:49:54.5+02:00"}\n',
    [{ time: '2026-11-28T13:49:54.5+02:00' }],
  ],
  [
    'fluentd: a time without a zone where utc is set',
    fluentd(
      '@type regexp\nexpression /^(?<time>\\S+ \\S+) (?<m>.*)$/\ntime_format %Y-%m-%d %H:%M:%S\nutc true',
    ),
    '2026-11-28 13:00:00 x\n',
    [{ time: '2026-11-28T13:00:00Z', m: 'x' }],
  ],
  [
    'fluentd: an epoch in an expression',
    fluentd('@type regexp\nexpression /^(?<time>\\d+) (?<m>.*)$/\ntime_type unixtime'),
    '1795870800 x\n',
    [{ time: '2026-11-28T13:00:00Z', m: 'x' }],
  ],
  [
    'fluentd: the tag and its parts, and what stands behind a backslash',
    fluentd(
      '@type none\nmessage_key log',
      `<filter t>\n@type record_transformer\n<record>\nfrom \${tag}\npart x-\${tag_parts[0]}\ntext "a\\tb\\\\c"\nbare 'd\\te'\n</record>\n</filter>\n`,
    ),
    'l\n',
    [{ log: 'l', from: 't', part: 'x-t', text: 'a\tb\\c', bare: 'd\\te' }],
  ],
  [
    'fluentd: a line that is parsed has no name as text',
    fluentd(
      '@type none\nmessage_key log',
      '<filter t>\n@type parser\nkey_name log\nreserve_data true\nremove_key_name_field true\n<parse>\n@type json\n</parse>\n</filter>\n',
    ),
    '{"message":"m"}\n',
    [{ message: 'm' }],
  ],
];

for (const [name, sections, log, events] of CASES)
  test(name, async (t) => {
    const zone = process.env['TZ'];
    process.env['TZ'] = 'America/New_York';
    t.after(() => {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    });
    assert.deepEqual(await eventsOf(t, sections, log), events);
  });
