/** Files that hold no lines of text, known by their first bytes: compressed, or of another program's own format. */

/** First bytes, in hex, and what they begin. */
const MAGIC: readonly (readonly [string, string])[] = [
  ['1f8b', 'gzip'],
  ['1f9d', 'compress (.Z)'],
  ['28b52ffd', 'zstd'],
  ['04224d18', 'LZ4'],
  ['425a68', 'bzip2'],
  ['fd377a585a00', 'xz'],
  ['5d00000080', 'LZMA'],
  ['5d00008000', 'LZMA'],
  ['504b0304', 'zip'],
  ['377abcaf271c', '7z'],
  ['52617221', 'RAR'],
  ['7f454c46', 'ELF'],
  ['53514c69746520666f726d617420330', 'SQLite'],
  ['4c504b5348485248', 'a journal of systemd'],
];
const UTF_16_MARKS = ['fffe', 'feff'];
/** The kind of a file of text that needs a configuration. */
export const UTF_16 = 'UTF-16 text: set `encoding`';
const LONGEST = 16;

/**
 * What a file is that begins with `head`; null for text.
 *
 * @param encoded whether an encoding is configured, so that its byte order mark is expected
 */
export function binaryKind(head: Buffer, encoded: boolean): string | null {
  const hex = head.toString('hex', 0, LONGEST);
  if (!encoded && UTF_16_MARKS.some((mark) => hex.startsWith(mark))) return UTF_16;
  // Servers escape control characters: no client can make a log look like one of these.
  if (!head.some((byte) => byte < 0x09)) return null;
  return MAGIC.find(([magic]) => hex.startsWith(magic))?.[1] ?? null;
}
