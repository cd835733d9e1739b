/** Tags that carry a part of the file's name. */
import * as path from 'node:path';

/** What a tag may contain. */
export const TAG_PLACEHOLDERS = ['file', 'name', 'folder', 'path'] as const;

/**
 * The tag of a file: `${file}` is its name, `${name}` that without its last ending, `${folder}` the name of its
 * folder, `${path}` the whole path with dots for slashes.
 */
export function tagOf(template: string, file: string): string {
  const values: Record<string, string> = {
    file: path.basename(file),
    name: path.parse(file).name,
    folder: path.basename(path.dirname(file)),
    path: file.replace(/^\//, '').replaceAll('/', '.'),
  };
  return template.replace(/\$\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

/** Whether all placeholders of a template are known. */
export function isTagTemplate(template: string): boolean {
  return tagOf(template, '/a/b.log').match(/\$\{/) === null;
}
