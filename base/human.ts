/** Formats numbers, sizes, durations and untrusted text for people: one form everywhere. */

/** `1234567` as `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Bytes as `12.3 MiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds as `850 ms`, `12 s`, `5 min`, `3.2 h`. */
export function age(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

/** What a terminal would act on: C0, DEL and C1, line separators, and controls of text direction. */
const OBEYED = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** One untrusted value, such as a tag, made unable to control a terminal or to start a line. */
export function plain(text: string): string {
  return text.replace(OBEYED, escaped);
}

/** Whole untrusted lines: tabs and line ends stay. JSON stays JSON with the same meaning. */
export function plainLines(text: string): string {
  return text.replace(OBEYED, (char) => (char === '\n' || char === '\t' ? char : escaped(char)));
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Hours since 1970 as `2026-11-23T07Z`. */
export function hour(hours: number): string {
  return `${new Date(hours * 3_600_000).toISOString().slice(0, 13)}Z`;
}
