/**
 * The logs of containers as Docker's json-file driver and the runtimes of Kubernetes (CRI) write them: lines that were
 * split are joined, and a file's path says which container it is of.
 */
import * as path from 'node:path';
import { compileFinish, type RecordOptions } from './finish.ts';
import { keepLine } from './kept.ts';
import { type LineParser, type Target, UNPARSED } from './parser.ts';
import { type RecordParser, takeRecord } from './record.ts';
import type { Transform } from './transform.ts';

const NEWLINE = 0x0a;

/** One line of a container's log: what was written, and whether the line goes on in the next one of its stream. */
interface Part {
  readonly time: string;
  readonly stream: string;
  readonly text: string;
  readonly more: boolean;
  readonly extra: Readonly<Record<string, unknown>>;
}

type ReadPart = (line: string) => Part | null;

/** Tells, line after line, whether an event goes on. */
export interface Grouping {
  reset(): void;
  /** Whether the lines so far, `bytes[from, to)` the last of them, need more to be whole events. */
  needsMore(bytes: Buffer, from: number, to: number): boolean;
}

const CRI = /^(\S+) (stdout|stderr) ([FP])(?::\S*)? (.*)$/s;

function readCri(line: string): Part | null {
  const match = CRI.exec(line);
  if (!match) return null;
  const [, time, stream, tag, text] = match;
  return { time: time!, stream: stream!, text: text!, more: tag === 'P', extra: {} };
}

function readDocker(line: string): Part | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { log, stream, time, ...extra } = value as Record<string, unknown>;
  if (typeof log !== 'string' || typeof time !== 'string') return null;
  const whole = log.endsWith('\n');
  const text = whole ? log.slice(0, log.endsWith('\r\n') ? -2 : -1) : log;
  return { time, stream: typeof stream === 'string' ? stream : '', text, more: !whole, extra };
}

/** The one writes JSON, and the other begins with the time. */
function readEither(line: string): Part | null {
  return line.startsWith('{') ? readDocker(line) : readCri(line);
}

const READERS = { docker: readDocker, cri: readCri, container: readEither } as const;
export type ContainerFormat = keyof typeof READERS;

export function isContainerFormat(type: string): type is ContainerFormat {
  return Object.hasOwn(READERS, type);
}

/** Lines of both streams may lie between the parts of one: a group ends when neither has an open line. */
export function containerGrouping(format: ContainerFormat): Grouping {
  const read = READERS[format];
  const open = new Set<string>();
  return {
    reset: () => open.clear(),
    needsMore(bytes, from, to) {
      const part = read(bytes.toString('utf8', from, to));
      if (part?.more) open.add(part.stream);
      else if (part) open.delete(part.stream);
      return open.size > 0;
    },
  };
}

/** Takes whole groups of lines, as {@link containerGrouping} ends them. */
export class ContainerParser implements LineParser {
  readonly #read: ReadPart;
  readonly #target: Target;
  readonly #transform: Transform;
  readonly #inner: RecordParser | null;
  readonly #finish: ReturnType<typeof compileFinish>;
  readonly #names: Readonly<Record<string, unknown>>;

  /** @param file the log's path, which names the container; empty when it is not known */
  constructor(
    format: ContainerFormat,
    options: RecordOptions,
    inner: RecordParser | null,
    target: Target,
    transform: Transform,
    file: string,
  ) {
    this.#read = READERS[format];
    this.#target = target;
    this.#transform = transform;
    this.#inner = inner;
    this.#finish = compileFinish(options, 'time');
    this.#names = containerOf(file);
  }

  parse(bytes: Buffer, start: number, end: number): void {
    const open = new Map<string, { readonly first: Part; readonly texts: string[] }>();
    for (let from = start; from <= end; ) {
      const newline = bytes.indexOf(NEWLINE, from);
      const to = newline < 0 || newline > end ? end : newline;
      const part = this.#read(bytes.toString('utf8', from, to));
      if (part === null) {
        keepLine(this.#target, this.#transform, bytes, from, to, UNPARSED);
      } else {
        const begun = open.get(part.stream) ?? { first: part, texts: [] };
        begun.texts.push(part.text);
        if (part.more) open.set(part.stream, begun);
        else open.delete(part.stream);
        if (!part.more) this.#event(begun.first, begun.texts.join(''), false, bytes.subarray(from, to));
      }
      from = to + 1;
    }
    // The rest of these did not come in time, or is too long.
    for (const { first, texts } of open.values())
      this.#event(first, texts.join(''), true, bytes.subarray(start, end));
  }

  #event(part: Part, text: string, truncated: boolean, source: Buffer): void {
    const { now } = this.#target.clock;
    const outer: Record<string, unknown> = { ...part.extra };
    if (part.stream !== '') outer['stream'] = part.stream;
    Object.assign(outer, this.#names);
    const inner = this.#inner === null ? null : this.#inner(text, now);
    if (inner?.header) return;
    const fields = inner === null ? { message: text } : inner.record;
    const record: Record<string, unknown> = { time: part.time, ...outer, ...fields };
    // The inner event's time is the event's own; where it has none, the runtime's.
    if (inner !== null && inner.time === null) record['time'] = part.time;
    const time = inner?.time ?? this.#finish(record, now);
    const parsed = {
      record,
      time,
      shifted: inner?.shifted ?? [],
      unparsed: this.#inner !== null && inner === null ? 'message' : inner?.unparsed,
      truncated,
    };
    if (takeRecord(this.#target, this.#transform, parsed, source)) return;
    keepLine(this.#target, this.#transform, Buffer.from(text), 0, Buffer.byteLength(text), UNPARSED);
  }
}

const CONTAINERS = /^([^_]+)_([^_]+)_(.+)-([0-9a-f]{12,64})\.log$/;
const POD = /^([^_]+)_([^_]+)_([0-9a-f-]{32,36})$/;

/**
 * What a log's path says of its container: the kubelet gives `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log` and
 * `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`, Docker the container's id.
 */
function containerOf(file: string): Record<string, unknown> {
  const linked = CONTAINERS.exec(path.basename(file));
  if (linked) {
    const [, pod, namespace, container, id] = linked;
    return { kubernetes: { namespace, pod, container, container_id: id } };
  }
  const folder = path.dirname(file);
  const pod = POD.exec(path.basename(path.dirname(folder)));
  if (pod) {
    return {
      kubernetes: { namespace: pod[1], pod: pod[2], container: path.basename(folder), pod_uid: pod[3] },
    };
  }
  const docker = /^([0-9a-f]{64})-json\.log/.exec(path.basename(file));
  return docker ? { docker: { container_id: docker[1] } } : {};
}
