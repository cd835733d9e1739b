/** How numbers and foreign text are shown to a person. */

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

/** Text that came from outside, with what a terminal would obey (C0, C1, DEL) replaced by what it looks like. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Hours since 1970 as `2026-11-23T07Z`. */
export function hour(hours: number): string {
  return `${new Date(hours * 3_600_000).toISOString().slice(0, 13)}Z`;
}
