/** The tag by which a spilled object says what became of it, among those of others: scanners and inventories tag objects too. */
import type { Tag } from '@aws-sdk/client-s3';

/** The bucket's lifecycle rules go by it. */
const KEY = 'tailrace';
/** What an object can have. */
const MOST_TAGS = 10;

/** Whether the object was put back before. */
export function isMarked(tags: readonly Tag[]): boolean {
  return tags.some(({ Key }) => Key === KEY);
}

/** The tags of an object that was put back: ours, and the others as far as there is room. */
export function marked(tags: readonly Tag[], value: 'readmitted' | 'damaged'): Tag[] {
  const others = tags.filter(({ Key }) => Key !== KEY).slice(0, MOST_TAGS - 1);
  return [...others, { Key: KEY, Value: value }];
}
