/** Shows a running pipeline: a picture on a terminal that fits 80×24 and any other size, an occasional line elsewhere. */
import { age, bytes, count } from '../base/human.ts';
import type { PipelineStatus } from './pipeline.ts';
import type { ShardView } from './status.ts';

export interface Snapshot extends PipelineStatus {
  /** Milliseconds since the pipeline started. */
  readonly elapsedMs: number;
  /** Events per second over the last seconds. */
  readonly made: number;
  readonly archived: number;
  /** Age of the oldest event that was made and is not archived yet, in milliseconds. */
  readonly lagMs: number;
  readonly phase: string;
  /** Address of the console's page; null while there is none. */
  readonly console: string | null;
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = String(seconds % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** An agent that has exited can no longer report what it sent last, but whatever is archived was sent. */
function sentEvents({ agent, consumer }: PipelineStatus): number {
  return Math.max(agent?.acknowledged ?? 0, consumer?.archived ?? 0);
}

/** KCL reports a lease that this worker gives up at a stop in the same way as one that another worker took. */
function stateOf({ phase }: ShardView): string {
  return phase === 'lost' ? 'released' : phase.replaceAll('_', ' ');
}

/** Columns of a terminal without room for more; the picture is made for at least these. */
const LEAST_COLUMNS = 80;

/** The picture: one string per line, at most `rows` of them; events fill whatever room there is. */
export function viewLines(snapshot: Snapshot, dataDir: string, rows: number): string[] {
  const { demo, agent, consumer, phase, elapsedMs } = snapshot;
  const archived = consumer?.archived ?? 0;
  const sent = sentEvents(snapshot);
  const row = (label: string, value: number, rate: number | null, rest: string): string =>
    `  ${label.padEnd(16)}${count(value).padStart(12)}${(rate === null ? '' : `${count(Math.round(rate))}/s`).padStart(10)}   ${rest}`;
  const head = [
    `tailrace  ${clock(elapsedMs)}  ${phase}`,
    '',
    row(
      'events made',
      demo.made,
      snapshot.made,
      `${count(demo.forward)} by clients, ${count(demo.rotations)} log rotations`,
    ),
    row(
      'sent to Kinesis',
      sent,
      null,
      agent ? `${count(agent.records)} records, spool ${bytes(agent.spoolBytes)}` : 'the agent is starting',
    ),
    row(
      'archived in S3',
      archived,
      snapshot.archived,
      consumer ? `${count(consumer.objects)} objects, ${bytes(consumer.bytes)}` : 'the consumer is starting',
    ),
    row('not archived yet', Math.max(0, demo.made - archived), null, `lag ${age(snapshot.lagMs)}`),
    '',
  ];
  const table = shardLines(consumer?.shards ?? []);
  for (const reason of agent?.reasons ?? []) table.push(`  the agent is ${agent?.state}: ${reason}`);
  const page = snapshot.console === null ? [] : [`  console: ${snapshot.console}`];
  const foot = ['', ...page, `  data, logs and configurations: ${dataDir}`];
  const room = rows - head.length - table.length - foot.length;
  const events = room > 1 ? ['', ...demo.recent.slice(-(room - 1)).map((event) => `  ${event}`)] : [];
  return [...head, ...table, ...events, ...foot].slice(0, rows);
}

function shardLines(shards: readonly ShardView[]): string[] {
  if (shards.length === 0) return ['  KCL is starting (a Java process; it takes a few seconds)'];
  const columns = (id: string, state: string, ...numbers: string[]): string =>
    `  ${id.padEnd(21)}${state.padEnd(10)}${numbers.map((text) => text.padStart(11)).join('')}`;
  const lines = [columns('shard', 'state', 'records', 'archived', 'waiting', 'behind')];
  for (const shard of shards) {
    const behind = shard.behindMs === null ? '-' : age(shard.behindMs);
    const numbers = [count(shard.records), count(shard.archived), bytes(shard.pendingBytes), behind];
    lines.push(columns(shard.id, stateOf(shard), ...numbers));
    if (shard.trouble !== null) lines.push(`    ${shard.trouble}`);
  }
  return lines;
}

/** The same on one line, for logs. */
export function viewLine(snapshot: Snapshot): string {
  const { demo, consumer } = snapshot;
  return `${clock(snapshot.elapsedMs)} made ${demo.made} sent ${sentEvents(snapshot)} archived ${consumer?.archived ?? 0} lag ${age(snapshot.lagMs)} objects ${consumer?.objects ?? 0}`;
}

/** xterm's alternate screen, the cursor, and erasing (ECMA-48). */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const ERASE_LINE = '\x1b[K';
const ERASE_BELOW = '\x1b[J';

/** Paints a picture over itself, on a screen of its own, so that no size of the terminal leaves traces of another. */
export class Painter {
  readonly #out: NodeJS.WriteStream;
  readonly #bold: (text: string) => string;
  #said: string[] = [];
  #isOpen = false;
  #lines: (rows: number) => readonly string[] = () => [];
  readonly #onResize = (): void => this.#paint();
  readonly #onExit = (): void => this.close();

  constructor(out: NodeJS.WriteStream, env: NodeJS.ProcessEnv = process.env) {
    this.#out = out;
    // https://no-color.org: any value but the empty one.
    this.#bold = env.NO_COLOR ? (text) => text : (text) => `\x1b[1m${text}\x1b[0m`;
  }

  /** @param lines makes the picture for a number of rows */
  paint(lines: (rows: number) => readonly string[]): void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#out.write(ENTER);
      this.#out.on('resize', this.#onResize);
      process.on('exit', this.#onExit);
    }
    this.#lines = lines;
    this.#paint();
  }

  /** Prints a line: now, or once the picture is gone. */
  say(line: string): void {
    if (this.#isOpen) this.#said.push(line);
    else this.#out.write(`${line}\n`);
  }

  /** Leaves the picture; what was said meanwhile is printed. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#out.off('resize', this.#onResize);
    process.off('exit', this.#onExit);
    this.#out.write(`${LEAVE}${this.#said.map((line) => `${line}\n`).join('')}`);
    this.#said = [];
  }

  #paint(): void {
    const columns = this.#out.columns || LEAST_COLUMNS;
    const rows = this.#out.rows || 24;
    const shown = this.#lines(rows - 1).map((line) => [...line].slice(0, columns - 1).join(''));
    const [title = '', ...rest] = shown;
    const text = [this.#bold(title), ...rest].map((line) => `${line}${ERASE_LINE}\n`).join('');
    this.#out.write(`${HOME}${text}${ERASE_BELOW}`);
  }
}
