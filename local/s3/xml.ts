/** The few XML documents that S3 sends and accepts. */
import type { Listing, ListRequest } from './listing.ts';
import type { ObjectInfo } from './store.ts';

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
/** Everything belongs to the one account that there is. */
const OWNER = '<Owner><ID>local</ID><DisplayName>local</DisplayName></Owner>';
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

export function errorXml(code: string, message: string, resource: string, requestId: string): string {
  return `${DECLARATION}<Error>${tag('Code', code)}${tag('Message', message)}${tag('Resource', resource)}${tag('RequestId', requestId)}</Error>`;
}

export interface ListXml {
  readonly bucket: string;
  readonly request: ListRequest;
  /** As the request has it; the listing itself may start after a token. */
  readonly startAfter: string;
  readonly continuationToken: string | null;
  readonly nextToken: string | null;
  readonly urlEncoded: boolean;
  readonly withOwner: boolean;
  readonly listing: Listing;
  readonly objects: readonly ObjectInfo[];
}

export function listXml(list: ListXml): string {
  const { request, listing, objects } = list;
  const name = list.urlEncoded ? encodeKey : (key: string): string => key;
  const parts = [
    tag('Name', list.bucket),
    tag('Prefix', name(request.prefix)),
    tag('KeyCount', objects.length + listing.commonPrefixes.length),
    tag('MaxKeys', request.maxKeys),
    tag('IsTruncated', list.nextToken !== null),
  ];
  if (request.delimiter !== '') parts.push(tag('Delimiter', name(request.delimiter)));
  if (list.urlEncoded) parts.push(tag('EncodingType', 'url'));
  if (list.continuationToken !== null) parts.push(tag('ContinuationToken', list.continuationToken));
  if (list.startAfter !== '') parts.push(tag('StartAfter', name(list.startAfter)));
  if (list.nextToken !== null) parts.push(tag('NextContinuationToken', list.nextToken));
  const owner = list.withOwner ? OWNER : '';
  for (const object of objects) {
    parts.push(
      `<Contents>${tag('Key', name(object.key))}${tag('LastModified', new Date(object.modified).toISOString())}${tag('ETag', `"${object.etag}"`)}${tag('Size', object.size)}${owner}${tag('StorageClass', 'STANDARD')}</Contents>`,
    );
  }
  for (const prefix of listing.commonPrefixes) {
    parts.push(`<CommonPrefixes>${tag('Prefix', name(prefix))}</CommonPrefixes>`);
  }
  return `${DECLARATION}<ListBucketResult xmlns="${NAMESPACE}">${parts.join('')}</ListBucketResult>`;
}

export function deleteXml(
  deleted: readonly string[],
  failed: readonly { key: string; code: string; message: string }[],
): string {
  const parts = [
    ...deleted.map((key) => `<Deleted>${tag('Key', key)}</Deleted>`),
    ...failed.map(
      ({ key, code, message }) =>
        `<Error>${tag('Key', key)}${tag('Code', code)}${tag('Message', message)}</Error>`,
    ),
  ];
  return `${DECLARATION}<DeleteResult xmlns="${NAMESPACE}">${parts.join('')}</DeleteResult>`;
}

/** The keys of a DeleteObjects request. */
export function parseDelete(xml: string): { keys: string[]; quiet: boolean } {
  const keys = [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => unescapeXml(match[1]!));
  return { keys, quiet: /<Quiet>\s*true\s*<\/Quiet>/.test(xml) };
}

function tag(name: string, value: string | number | boolean): string {
  return `<${name}>${escapeXml(String(value))}</${name}>`;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapeXml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters cannot appear in XML unescaped
  return text.replace(/[&<>"\u0000-\u001f]/g, (char) => ESCAPES[char] ?? `&#${char.charCodeAt(0)};`);
}

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, (_, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[name as string] ?? '';
  });
}

/** Encodes as S3 does for EncodingType=url: slashes stay. */
function encodeKey(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
