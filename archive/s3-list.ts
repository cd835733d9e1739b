/** Takes a page of a listing of S3 apart: the XML of ListObjectsV2, as far as it is what S3 writes. */

export interface ListedPage {
  readonly objects: readonly { readonly key: string; readonly bytes: number }[];
  /** Of the next page; undefined when this is the last one. */
  readonly next: string | undefined;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const CONTENTS = '<Contents>';
const END = '</Contents>';

/** @returns null for a page of any other form: a parser of XML has to say what it is */
export function parseListing(xml: string): ListedPage | null {
  if (!xml.trimEnd().endsWith('</ListBucketResult>')) return null;
  const objects: { key: string; bytes: number }[] = [];
  let at = xml.indexOf(CONTENTS);
  // What is not of an object stands before the objects or behind them.
  const outside = at < 0 ? xml : xml.slice(0, at) + xml.slice(xml.lastIndexOf(END) + END.length);
  while (at >= 0) {
    const end = xml.indexOf(END, at);
    if (end < 0) return null;
    const key = textOf(xml, 'Key', at, end);
    const bytes = textOf(xml, 'Size', at, end);
    if (key === null || bytes === null || !/^\d{1,15}$/.test(bytes)) return null;
    objects.push({ key, bytes: Number(bytes) });
    at = xml.indexOf(CONTENTS, end);
  }
  const count = textOf(outside, 'KeyCount', 0, outside.length);
  if (count !== null && Number(count) !== objects.length) return null;
  const next = textOf(outside, 'NextContinuationToken', 0, outside.length) ?? undefined;
  const isTruncated = textOf(outside, 'IsTruncated', 0, outside.length);
  if (isTruncated !== `${next !== undefined}`) return null;
  return { objects, next };
}

/** The text of the first element of a name between two places; null when there is none, or more than text in it. */
function textOf(xml: string, name: string, from: number, to: number): string | null {
  const open = xml.indexOf(`<${name}>`, from);
  if (open < 0 || open >= to) return null;
  const start = open + name.length + 2;
  const end = xml.indexOf('<', start);
  if (end < 0 || !xml.startsWith(`</${name}>`, end)) return null;
  const text = xml.slice(start, end);
  return text.includes('&') ? decoded(text) : text;
}

function decoded(text: string): string | null {
  let isKnown = true;
  const plain = text.replace(/&(?:(\w+)|#x([0-9a-fA-F]{1,6})|#(\d{1,7}));|&/g, (_, name, hex, digits) => {
    if (name !== undefined && Object.hasOwn(ENTITIES, name)) return ENTITIES[name]!;
    const code = hex === undefined ? Number(digits) : Number.parseInt(hex, 16);
    if (code > 0 && code <= 0x10ffff) return String.fromCodePoint(code);
    isKnown = false;
    return '';
  });
  return isKnown ? plain : null;
}
