/** A section of another agent's configuration, whatever its syntax, and what of it has been carried over. */

/** Something to say about a line of the configuration. */
export interface Note {
  readonly line: number;
  readonly text: string;
}

export interface Property {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** Whose syntax and meaning it is: names of fields and patterns of tags differ. */
export type Dialect = 'fluentd' | 'fluent-bit' | 'vector';

/** What a section does in its pipeline. */
export type Role = 'input' | 'filter' | 'output' | 'parser' | 'multiline' | 'service' | 'other';

export class Section {
  readonly role: Role;
  /** The plugin's name, or the tag of a nested section; in lower case. */
  readonly type: string;
  readonly line: number;
  readonly dialect: Dialect;
  /** Patterns of the tags that a filter or an output is for, regular expressions between slashes; empty for all. */
  readonly match: readonly string[];
  readonly children: readonly Section[];
  /** The fluentd label around it: empty outside of all. */
  readonly label: string;
  /** The names of the inputs whose events come here, where components are wired by name and not by tag. */
  readonly sources: readonly string[] | undefined;
  readonly #properties: readonly Property[];
  readonly #used = new Set<Property>();

  constructor(
    role: Role,
    type: string,
    line: number,
    {
      properties = [],
      children = [],
      match = [],
      label = '',
      sources,
      dialect = 'fluentd',
    }: {
      properties?: readonly Property[];
      children?: readonly Section[];
      match?: readonly string[];
      label?: string;
      sources?: readonly string[];
      dialect?: Dialect;
    } = {},
  ) {
    this.role = role;
    this.type = type;
    this.line = line;
    this.match = match;
    this.label = label;
    this.sources = sources;
    this.dialect = dialect;
    this.children = children;
    this.#properties = properties;
  }

  /** The value of the first of these properties, which alone counts as carried over from now on. */
  take(...keys: readonly string[]): string | undefined {
    const found = this.#properties.find(({ key }) => keys.includes(key));
    if (found) this.#used.add(found);
    return found?.value;
  }

  takeAll(...keys: readonly string[]): Property[] {
    const found = this.#properties.filter(({ key }) => keys.includes(key));
    for (const property of found) this.#used.add(property);
    return found;
  }

  get taken(): readonly Property[] {
    return [...this.#used];
  }

  /** What nobody has taken. */
  get rest(): readonly Property[] {
    return this.#properties.filter((property) => !this.#used.has(property));
  }

  /** All that nobody has taken, which counts as carried over from now on. */
  takeRest(): readonly Property[] {
    const { rest } = this;
    for (const property of rest) this.#used.add(property);
    return rest;
  }

  child(type: string): Section | undefined {
    return this.children.find((each) => each.type === type);
  }
}
