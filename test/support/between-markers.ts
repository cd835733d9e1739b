/** Parts of documents that a program writes, between two comments. */

const END = '<!-- end -->';

/**
 * The document with `part` after the comment `<!-- Written by PLACE -->` and before `<!-- end -->`.
 *
 * @throws Error when it lacks them
 */
export function betweenMarkers(document: string, place: string, part: string): string {
  const marker = `<!-- Written by ${place} -->`;
  const begin = document.indexOf(marker);
  const end = document.indexOf(END, begin);
  if (begin === -1 || end === -1) throw new Error(`the document lacks the lines ${marker} and ${END}`);
  return `${document.slice(0, begin)}${marker}\n\n${part.trim()}\n\n${document.slice(end)}`;
}
