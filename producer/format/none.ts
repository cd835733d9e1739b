/** The format `none`: each line whole, as `{"message": …}`. */
import { type LineParser, messageFrame, type Target, writeMessage } from './parser.ts';
import { type Frame, RawLines } from './raw-lines.ts';

export class NoneParser implements LineParser {
  readonly #target: Target;
  readonly #added: Buffer;
  readonly #frame: Frame;

  constructor(target: Target, added: Buffer) {
    this.#target = target;
    this.#added = added;
    this.#frame = messageFrame(added);
  }

  parse(bytes: Buffer, start: number, end: number): void {
    writeMessage(this.#target, bytes, start, end, undefined, this.#added);
  }

  /** As {@link LineParser.lines}. */
  lines(bytes: Buffer, start: number, end: number, maxLine: number): number {
    const writer = RawLines.shared();
    const frame = this.#frame;
    const { builders, clock, tally } = this.#target;
    // A time that is not plausible is counted line by line.
    if (!writer?.takes(bytes, frame) || !builders.isPlausible(clock.now)) return start;
    let at = start;
    while (at < end) {
      const builder = builders.at(clock.now);
      if (!writer.run(bytes, at, end, builder.missing, maxLine, frame)) break;
      const { time } = builder;
      builder.reserve(writer.bytes);
      writer.copy(builder.buffer, builder.length);
      tally.events += writer.count;
      at = writer.next;
      builder.commitMany(builder.length + writer.bytes, writer.count, time, time);
    }
    return at;
  }
}
