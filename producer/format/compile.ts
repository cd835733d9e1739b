/** Compiles a format's options into its parser. */
import { AccessLogParser } from './access-log.ts';
import { parseApacheFormat, parseNginxFormat } from './log-format.ts';
import { NoneParser } from './none.ts';
import type { FormatOptions } from './options.ts';
import type { LineParser, Target } from './parser.ts';
import type { Transform } from './transform.ts';

/**
 * @param target where the events of one source go: parsers of different sources share nothing
 * @throws FormatError when the options contradict themselves
 */
export function compileFormat(options: FormatOptions, target: Target, transform: Transform): LineParser {
  switch (options.type) {
    case 'nginx':
      return new AccessLogParser(parseNginxFormat(options.log_format ?? 'combined'), target, transform);
    case 'apache2':
      return new AccessLogParser(parseApacheFormat(options.log_format ?? 'combined'), target, transform);
    case 'none':
      return new NoneParser(target, transform.added);
  }
}
