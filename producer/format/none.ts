/** The format `none`: each line whole, as `{"message": …}`. */
import { type LineParser, type Target, writeMessage } from './parser.ts';

export class NoneParser implements LineParser {
  readonly #target: Target;
  readonly #added: Buffer;

  constructor(target: Target, added: Buffer) {
    this.#target = target;
    this.#added = added;
  }

  parse(bytes: Buffer, start: number, end: number): void {
    writeMessage(this.#target, bytes, start, end, undefined, this.#added);
  }
}
