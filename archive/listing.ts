/**
 * Finds data objects by their keys, without reading the commits that name them: the keys say tag and hour, and in
 * archives of this release how much is in each object. A name is written only after its commit, so what is found
 * under it is archived, unless it is the empty object of a voided name.
 */
import { atOnce } from '../base/at-once.ts';
import type { NameParts } from './commit-keys.ts';
import { commitFolder, dateAndHour, decodeTag, parseCommitKey, parseObjectName } from './commit-keys.ts';
import { logsOf, readCommit } from './commit-log.ts';
import type { ArchiveStore } from './store.ts';
import { isVoid } from './voiding.ts';

/** A store that lists what is under a prefix. */
export interface ListableStore extends ArchiveStore {
  list(prefix: string): AsyncIterable<Listed>;
  /** The same page by page, where that is cheaper: a step of an async iterator costs as much as taking a key apart. */
  pages?(prefix: string): AsyncIterable<readonly Listed[]>;
}

interface Listed {
  readonly key: string;
  readonly bytes: number;
}

export interface ListedObject extends NameParts {
  readonly key: string;
  readonly bytes: number;
  /** Null when the key has it shortened. */
  readonly tag: string | null;
  /** Whole hours since 1970. */
  readonly hour: number;
}

export interface ListingFilter {
  /** Asked of every tag that keys have in full. */
  readonly tag?: ((tag: string) => boolean) | undefined;
  /** Whole hours since 1970, both included. */
  readonly hours: readonly [number, number];
}

const LISTS_AT_ONCE = 32;
const HOUR_MS = 3_600_000;
/** Ranges of so many hours are listed hour by hour, longer ones day by day. */
const FEW_HOURS = 48;

type Known = Readonly<Partial<Record<'tag' | 'dt' | 'hour', string>>>;

/** The objects of an archive whose keys follow a template with {tag}, {dt} and {hour}. */
export class Listing {
  readonly #store: ListableStore;
  readonly #prefix: string;
  readonly #template: string;
  readonly #pattern: RegExp;
  /** The folder of the object before, and what it says; null when it follows another template. */
  #folder: string | null = null;
  #nameAt = 0;
  #place: { readonly tag: string | null; readonly hour: number } | null = null;

  constructor(store: ListableStore, prefix: string, template: string) {
    this.#store = store;
    this.#prefix = prefix;
    this.#template = template;
    this.#pattern = patternOf(prefix, template);
  }

  /**
   * Whether this archive can be read by its keys: those of the newest, the first and a middle commit of every log follow
   * the template.
   */
  async fits(): Promise<boolean> {
    for (const name of ['{tag}', '{dt}', '{hour}']) if (!this.#template.includes(name)) return false;
    let fits = true;
    await atOnce(LISTS_AT_ONCE, await logsOf(this.#store, this.#prefix), async (log) => {
      const key = await this.#store.first(commitFolder(this.#prefix, log.incarnation, log.shard));
      const newest = key === null ? null : parseCommitKey(key)?.number;
      if (!newest) return;
      const numbers = new Set([1, Math.ceil(newest / 2), newest]);
      await atOnce(numbers.size, [...numbers], async (number) => {
        const { objects } = await readCommit(this.#store, log, number);
        fits &&= objects.every(({ key: name }) => this.#pattern.test(name));
      });
    });
    return fits;
  }

  /**
   * Calls `take` for each object, in no order.
   *
   * @param what objects with data, or the empty ones that stand under voided names
   */
  async each(
    filter: ListingFilter,
    take: (object: ListedObject) => void,
    what: 'data' | 'void' = 'data',
  ): Promise<void> {
    const prefixes = await this.#prefixes(filter);
    await atOnce(LISTS_AT_ONCE, prefixes, async (prefix) => {
      const one = ({ key, bytes }: Listed): void => {
        const object = this.#parse(key, bytes);
        if (!object || isVoid(object.codec, bytes) !== (what === 'void')) return;
        if (matches(object, filter)) take(object);
      };
      if (this.#store.pages) for await (const page of this.#store.pages(prefix)) page.forEach(one);
      else for await (const listed of this.#store.list(prefix)) one(listed);
    });
  }

  #parse(key: string, bytes: number): ListedObject | null {
    const at = key.lastIndexOf('/') + 1;
    const folder = key.slice(0, at);
    // Objects of a folder are listed one behind the other.
    if (folder !== this.#folder || !this.#template.endsWith('/{name}')) {
      this.#folder = folder;
      const groups = this.#pattern.exec(key)?.groups;
      this.#place = groups
        ? { tag: decodeTag(groups.tag!), hour: hourOf(groups.dt!) + Number(groups.hour) }
        : null;
      this.#nameAt = key.length - (groups?.name?.length ?? 0);
    }
    if (this.#place === null) return null;
    const name = parseObjectName(key.slice(this.#nameAt));
    if (!name) return null;
    const { tag, hour } = this.#place;
    return { ...name, key, bytes, tag, hour };
  }

  /** What has to be listed so that all that the filter asks for is. */
  async #prefixes({ tag, hours: [first, last] }: ListingFilter): Promise<string[]> {
    const start = this.#prefixOf({});
    const known: Known[] =
      start.next === 'tag'
        ? (await this.#values(start, (text) => keepTag(text, tag))).map((text) => ({ tag: text }))
        : [{}];
    if (last - first < FEW_HOURS) {
      const hours = Array.from({ length: last - first + 1 }, (_, i) => dateAndHour(first + i));
      const each = known.flatMap((one) =>
        hours.map(([dt, hour]) => this.#prefixOf({ ...one, dt, hour }).prefix),
      );
      return [...new Set(each)];
    }
    const prefixes: string[] = [];
    await atOnce(LISTS_AT_ONCE, known, async (one) => {
      const here = this.#prefixOf(one);
      if (here.next !== 'dt') {
        prefixes.push(here.prefix);
        return;
      }
      const days = await this.#values(here, (dt) => hourOf(dt) + 23 >= first && hourOf(dt) <= last);
      for (const dt of days) prefixes.push(this.#prefixOf({ ...one, dt }).prefix);
    });
    return prefixes;
  }

  /** The template up to its first part that is not known, and the name of that. */
  #prefixOf(known: Known): { prefix: string; next: string; after: string } {
    let prefix = this.#prefix;
    for (const [, text, name] of this.#template.matchAll(/([^{]*)\{(\w+)\}/g)) {
      prefix += text;
      const value = known[name as keyof Known];
      if (value === undefined) {
        const rest = this.#template.slice(this.#template.indexOf(`{${name}}`) + name!.length + 2);
        const after = /^([^/{]*)\//.exec(rest)?.[1];
        // Values can be listed only where they end a folder's name.
        return { prefix, next: after === undefined ? '' : name!, after: after ?? '' };
      }
      prefix += value;
    }
    return { prefix, next: '', after: '' };
  }

  async #values(
    { prefix, after }: { readonly prefix: string; readonly after: string },
    keep: (value: string) => boolean,
  ): Promise<string[]> {
    const folders = await this.#store.folders(prefix);
    return folders
      .filter((folder) => folder.endsWith(after))
      .map((folder) => folder.slice(0, folder.length - after.length))
      .filter(keep);
  }
}

function keepTag(text: string, wanted: ListingFilter['tag']): boolean {
  const tag = decodeTag(text);
  return tag === null || !wanted || wanted(tag);
}

function matches({ tag, hour }: ListedObject, filter: ListingFilter): boolean {
  if (tag !== null && filter.tag && !filter.tag(tag)) return false;
  return hour >= filter.hours[0] && hour <= filter.hours[1];
}

const PART_PATTERN: Readonly<Record<string, string>> = {
  tag: '(?<tag>[^/]+?)',
  dt: '(?<dt>\\d{4}-\\d\\d-\\d\\d)',
  hour: '(?<hour>\\d\\d)',
  shard: '[^/]+?',
  name: '(?<name>[^/]+)',
};

function patternOf(prefix: string, template: string): RegExp {
  const seen = new Set<string>();
  const text = (prefix + template).replace(/\{(\w+)\}|[.*+?^$()|[\]\\]/g, (part, name?: string) => {
    if (name === undefined) return `\\${part}`;
    // A part that comes twice is named once.
    const pattern = PART_PATTERN[name]!;
    if (seen.has(name)) return pattern.replace(/\?<\w+>/, '?:');
    seen.add(name);
    return pattern;
  });
  return new RegExp(`^${text}$`);
}

function hourOf(date: string): number {
  return Math.floor(Date.parse(`${date}T00:00:00Z`) / HOUR_MS);
}
