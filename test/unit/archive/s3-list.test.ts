/** Pages of listings: what S3 writes is taken apart, everything else is left to a parser of XML. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseListing } from '../../../archive/s3-list.ts';

const entry = (key: string, bytes: number | string): string =>
  `<Contents><Key>${key}</Key><LastModified>2026-11-23T07:05:11.000Z</LastModified><ETag>&quot;0&quot;</ETag><Size>${bytes}</Size><Owner><ID>1</ID></Owner><StorageClass>STANDARD</StorageClass></Contents>`;
const page = (contents: string, truncated: boolean, rest = ''): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>${truncated}</IsTruncated>${contents}${rest}</ListBucketResult>`;
const next = '<NextContinuationToken>a+/=</NextContinuationToken>';

test('any keys and sizes come back as they were, in their order', () => {
  const escaped = (text: string): string =>
    text
      .replace(/[<>&"\r\n]/g, (letter) => `&#x${letter.charCodeAt(0).toString(16)};`)
      .replaceAll("'", '&apos;');
  const key = fc.string({ minLength: 1, unit: 'grapheme' });
  const objects = fc.array(fc.record({ key, bytes: fc.nat() }, { noNullPrototype: true }), { maxLength: 20 });
  fc.assert(
    fc.property(objects, fc.boolean(), (all, isTruncated) => {
      const contents = all.map((one) => entry(escaped(one.key), one.bytes)).join('');
      const count = `<KeyCount>${all.length}</KeyCount>`;
      assert.deepEqual(parseListing(page(contents, isTruncated, count + (isTruncated ? next : ''))), {
        objects: all,
        next: isTruncated ? 'a+/=' : undefined,
      });
    }),
  );
  assert.equal(parseListing(page(entry('a&lt;b&amp;amp;&#38;', 1), false))!.objects[0]!.key, 'a<b&amp;&');
});

test('a page of another form is not guessed at', () => {
  for (const xml of [
    '',
    '<Error><Code>NoSuchBucket</Code></Error>',
    page(entry('a', 1), true),
    page(entry('a', 1), false, next),
    page(entry('a', 'x'), false),
    page(entry('a', 1), false, '<KeyCount>2</KeyCount>'),
    page('<Contents><Size>1</Size></Contents>', false),
    page('<Contents><Key><![CDATA[a]]></Key><Size>1</Size></Contents>', false),
    page(entry('a&unknown;', 1), false),
    page(entry('a&amp', 1), false),
    page(entry('a', 1), false).slice(0, -1),
    page(`<Contents>${entry('a', 1)}`, false).replace('</Contents>', ''),
  ])
    assert.equal(parseListing(xml), null, xml);
});
