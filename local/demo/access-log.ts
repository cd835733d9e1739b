/** Writes an access log as nginx does, in its combined format, and rotates it as logrotate does. */
import * as fs from 'node:fs';
import * as path from 'node:path';

/** What nginx knows about a request when it has been answered. */
export interface Access {
  readonly remoteAddress: string;
  readonly user: string;
  readonly timeMs: number;
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly status: number;
  readonly bytes: number;
  readonly referer: string;
  readonly userAgent: string;
}

export interface Rotation {
  /** Lines after which the file is rotated. */
  readonly lines: number;
  /** Milliseconds after which it is rotated, if not empty. */
  readonly ageMs: number;
  /** Rotated files that are kept. */
  readonly keep: number;
}

export class AccessLog {
  readonly #file: string;
  readonly #rotation: Rotation;
  #fd: number;
  #lines = 0;
  #opened: number;
  #rotations = 0;
  /**
   * Whether the log is rotated when it is due. An agent takes what was rotated before it first looked for history, so
   * the demo, whose events are compared one by one, waits for it.
   */
  mayRotate = false;

  constructor(file: string, rotation: Rotation) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    this.#file = file;
    this.#rotation = rotation;
    this.#fd = fs.openSync(file, 'a');
    this.#opened = Date.now();
  }

  get rotations(): number {
    return this.#rotations;
  }

  /** One write(2) per line, like nginx without a buffer. */
  write(access: Access): void {
    fs.writeSync(this.#fd, `${combined(access)}\n`);
    this.#lines++;
    const due = this.#lines >= this.#rotation.lines || Date.now() - this.#opened >= this.#rotation.ageMs;
    if (due && this.mayRotate) this.#rotate();
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  /** Renames access.log to .1, .1 to .2 and so on, and creates a new one: logrotate's `create`. */
  #rotate(): void {
    const { keep } = this.#rotation;
    fs.rmSync(`${this.#file}.${keep}`, { force: true });
    for (let i = keep - 1; i >= 1; i--) {
      if (fs.existsSync(`${this.#file}.${i}`)) fs.renameSync(`${this.#file}.${i}`, `${this.#file}.${i + 1}`);
    }
    fs.renameSync(this.#file, `${this.#file}.1`);
    const old = this.#fd;
    this.#fd = fs.openSync(this.#file, 'a');
    fs.closeSync(old);
    this.#lines = 0;
    this.#opened = Date.now();
    this.#rotations++;
  }
}

/** nginx: `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"` */
export function combined(access: Access): string {
  const request = `${access.method} ${access.target} HTTP/${access.httpVersion}`;
  return `${access.remoteAddress} - ${escaped(access.user)} [${timeLocal(access.timeMs)}] "${escaped(request)}" ${access.status} ${access.bytes} "${escaped(access.referer)}" "${escaped(access.userAgent)}"`;
}

/** An absent variable is a dash; quotes, backslashes and anything but printable ASCII become `\xHH`, byte by byte. */
function escaped(value: string): string {
  if (value === '') return '-';
  let text = '';
  for (const byte of Buffer.from(value)) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    text += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `23/Nov/2026:07:05:09 +0000` */
function timeLocal(timeMs: number): string {
  const date = new Date(timeMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}
