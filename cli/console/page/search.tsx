/** The search: a pattern, a tag, a time; what is found comes while it is being looked for, newest first. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes, count } from '../../../base/human.ts';
import type { SearchLine, TagLine } from '../api.ts';
import { paced, readAnswer } from './answer.ts';
import { dateTime } from './format.ts';
import { Panel } from './parts.tsx';

export interface SearchWish {
  readonly pattern: string;
  readonly fixed: boolean;
  readonly ignoreCase: boolean;
  readonly tag: string;
  /** A duration, or empty for `from` and `to`. */
  readonly last: string;
  readonly from: string;
  readonly to: string;
  readonly where: string;
  readonly ip: string;
}

export const NO_WISH: SearchWish = {
  ...{ pattern: '', fixed: false, ignoreCase: false, tag: '' },
  ...{ last: '1h', from: '', to: '', where: '', ip: '' },
};

const RANGES = [
  ['15m', 'the last 15 minutes'],
  ['1h', 'the last hour'],
  ['6h', 'the last 6 hours'],
  ['1d', 'the last day'],
  ['7d', 'the last 7 days'],
  ['', 'from … to …'],
] as const;
const STEP = 200;
const MOST = 1000;

type Block = Extract<SearchLine, { block: unknown }>['block'];
type End = Extract<SearchLine, { end: unknown }>['end'];

interface Results {
  readonly blocks: readonly Block[];
  readonly faults: readonly string[];
  readonly found: { readonly objects: number; readonly bytes: number } | null;
  readonly done: { readonly objects: number; readonly bytes: number };
  readonly end: End | null;
  readonly error: string | null;
}

const NO_RESULTS: Results = {
  ...{ blocks: [], faults: [], found: null, end: null, error: null },
  done: { objects: 0, bytes: 0 },
};

interface SearchProps {
  readonly tags: readonly TagLine[];
  readonly wish: SearchWish;
  readonly change: (wish: SearchWish) => void;
}

export function Search({ tags, wish, change }: SearchProps) {
  const [results, setResults] = useState<Results | null>(null);
  const [limit, setLimit] = useState(STEP);
  const under = useRef<AbortController | null>(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => () => under.current?.abort(), []);
  const set = (part: Partial<SearchWish>): void => change({ ...wish, ...part });
  const run = async (most: number): Promise<void> => {
    under.current?.abort();
    const own = new AbortController();
    under.current = own;
    setLimit(most);
    setBusy(true);
    let now = NO_RESULTS;
    setResults(now);
    const screen = paced((results: Results) => {
      if (under.current === own) setResults(results);
    });
    try {
      await readAnswer<SearchLine>(`/api/search?${parametersOf(wish, most)}`, own.signal, (line) => {
        now = withLine(now, line);
        screen.next(now);
      });
    } catch (error) {
      screen.next({ ...now, error: (error as Error).message });
    }
    screen.end();
    if (under.current !== own) return;
    under.current = null;
    setBusy(false);
  };
  const stop = (): void => {
    under.current?.abort();
    under.current = null;
    setBusy(false);
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void run(STEP);
  };
  return (
    <Panel
      id="search"
      title="Search"
      aside="as tailrace grep: a regular expression on each line as it is archived"
    >
      <search>
        <form class="search" onSubmit={submit}>
          <SearchFields tags={tags} wish={wish} set={set} />
          <div class="buttons">
            <Checks wish={wish} set={set} />
            <button type="submit">Search</button>
            {isBusy ? (
              <button type="button" class="plain" onClick={stop}>
                Stop
              </button>
            ) : null}
          </div>
        </form>
      </search>
      {results === null ? null : (
        <Found
          results={results}
          isBusy={isBusy}
          more={limit < MOST ? () => void run(Math.min(MOST, limit * 5)) : null}
        />
      )}
    </Panel>
  );
}

interface FieldsProps {
  readonly tags: readonly TagLine[];
  readonly wish: SearchWish;
  readonly set: (part: Partial<SearchWish>) => void;
}

function SearchFields({ tags, wish, set }: FieldsProps) {
  return (
    <>
      <label class="wide">
        Pattern
        <input
          id="pattern"
          type="text"
          value={wish.pattern}
          spellcheck={false}
          autocomplete="off"
          placeholder={'"code":5\\d\\d'}
          onInput={({ currentTarget }) => set({ pattern: currentTarget.value })}
        />
      </label>
      <label>
        Tag
        <select value={wish.tag} onChange={({ currentTarget }) => set({ tag: currentTarget.value })}>
          <option value="">all tags</option>
          {tags.map(({ tag }) => (
            <option key={tag}>{tag}</option>
          ))}
        </select>
      </label>
      <label>
        Time
        <select value={wish.last} onChange={({ currentTarget }) => set({ last: currentTarget.value })}>
          {RANGES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {wish.last === '' ? (
        <>
          <Text label="From, UTC" value={wish.from} hint="2026-11-23T07:30" set={(from) => set({ from })} />
          <Text label="To, UTC" value={wish.to} hint="2026-11-23T07" set={(to) => set({ to })} />
        </>
      ) : null}
      <Text label="Field" value={wish.where} hint="code>=500" set={(where) => set({ where })} />
      <Text label="Address" value={wish.ip} hint="203.0.113.0/24" set={(ip) => set({ ip })} />
    </>
  );
}

function Checks({ wish, set }: Omit<FieldsProps, 'tags'>) {
  return (
    <>
      <label class="check">
        <input
          type="checkbox"
          checked={wish.fixed}
          onChange={({ currentTarget }) => set({ fixed: currentTarget.checked })}
        />
        plain text
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={wish.ignoreCase}
          onChange={({ currentTarget }) => set({ ignoreCase: currentTarget.checked })}
        />
        any case
      </label>
    </>
  );
}

interface TextProps {
  readonly label: string;
  readonly value: string;
  readonly hint: string;
  readonly set: (value: string) => void;
}

function Text({ label, value, hint, set }: TextProps) {
  return (
    <label>
      {label}
      <input
        type="text"
        value={value}
        spellcheck={false}
        autocomplete="off"
        placeholder={hint}
        onInput={({ currentTarget }) => set(currentTarget.value)}
      />
    </label>
  );
}

function parametersOf(wish: SearchWish, limit: number): URLSearchParams {
  const { pattern, fixed, ignoreCase, tag, last, from, to, where, ip } = wish;
  const parameters = new URLSearchParams({ limit: String(limit) });
  const times = last === '' ? { from, to } : { last };
  for (const [name, value] of Object.entries({ pattern, tag, where, ip, ...times }))
    if (value !== '') parameters.set(name, value);
  if (fixed) parameters.set('fixed', '1');
  if (ignoreCase) parameters.set('ignore_case', '1');
  return parameters;
}

function withLine(results: Results, line: SearchLine): Results {
  if ('block' in line) return { ...results, blocks: [...results.blocks, line.block] };
  if ('found' in line) return { ...results, found: line.found };
  if ('progress' in line) return { ...results, done: line.progress };
  if ('fault' in line)
    return { ...results, faults: [...results.faults, `${line.fault.key}: ${line.fault.fault}`] };
  if ('end' in line) return { ...results, end: line.end };
  return { ...results, error: line.error };
}

interface FoundProps {
  readonly results: Results;
  readonly isBusy: boolean;
  readonly more: (() => void) | null;
}

function Found({ results, isBusy, more }: FoundProps) {
  const { blocks, faults, end, error } = results;
  return (
    <div class="results">
      <p role="status" class="aside">
        {statusOf(results, isBusy)}
      </p>
      {error === null ? null : (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {faults.map((fault) => (
        <p key={fault} class="error">
          {fault}
        </p>
      ))}
      <ol>
        {blocks.map((block, i) => (
          <li key={i}>
            <Event block={block} />
          </li>
        ))}
      </ol>
      {end?.stopped?.startsWith('at ') && more !== null ? (
        <button type="button" class="plain" onClick={more}>
          Show more
        </button>
      ) : null}
    </div>
  );
}

function statusOf({ blocks, found, done, end, error }: Results, isBusy: boolean): string {
  if (error !== null) return '';
  const matches = `${count(blocks.length)} ${blocks.length === 1 ? 'event' : 'events'}`;
  if (end !== null) {
    const nothing = found?.objects === 0 ? 'no object is of these tags and times' : 'nothing found';
    if (end.matches === 0 && end.stopped === null) return nothing;
    const back = end.back === null ? '' : `; older ones than ${dateTime(end.back)} were not looked at`;
    return `${matches}${end.stopped === null ? '' : `, stopped ${end.stopped}${back}`}`;
  }
  if (found === null) return isBusy ? 'looking for objects …' : 'stopped';
  const place = `${count(done.objects)} of ${count(found.objects)} objects, ${bytes(done.bytes)} of ${bytes(found.bytes)}`;
  return `${matches} so far, ${place}${isBusy ? ' …' : ', stopped'}`;
}

function Event({ block }: { block: Block }) {
  const { tag, time, lines } = block;
  return (
    <details>
      <summary>
        <time dateTime={new Date(time).toISOString()}>{dateTime(time)}</time> <span class="tag">{tag}</span>{' '}
        {lines.map(({ text, spans }, i) => (
          <code key={i} class={spans === null ? 'around' : ''}>
            {spans === null ? text : marked(text, spans)}
          </code>
        ))}
      </summary>
      {lines.map(({ text }, i) => (
        <Fields key={i} text={text} />
      ))}
    </details>
  );
}

function marked(text: string, spans: readonly (readonly [number, number])[]) {
  const parts = [];
  let at = 0;
  for (const [start, end] of spans) {
    parts.push(text.slice(at, start), <mark key={start}>{text.slice(start, end)}</mark>);
    at = end;
  }
  return [...parts, text.slice(at)];
}

/** The fields of an event; a line that is not one, as it is. */
function Fields({ text }: { text: string }) {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    // It was cut, or is not JSON.
  }
  if (typeof event !== 'object' || event === null) return <pre>{text}</pre>;
  return (
    <table class="fields">
      <tbody>
        {Object.entries(event).map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{typeof value === 'string' ? value : JSON.stringify(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
