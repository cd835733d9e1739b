/** Where the events of each client tag go, and what happens to them on the way. */
import type { TagBuilders } from '../builder.ts';
import type { Labels } from '../counters.ts';
import { Transform, type TransformOptions } from '../format/transform.ts';
import type { InputContext } from '../input.ts';
import { WatchedKeys } from './keys.ts';
import { PARTIAL_KEY } from './partials.ts';
import { compilePattern, fillTag } from './routes.ts';

/** Tags whose destinations are remembered: a client that makes up tags must not fill the memory with them. */
const CACHED_TAGS = 2000;
const CACHED_TAG_LETTERS = 1024;

/** Where events without a tag go. */
const UNTAGGED = '_untagged';

export interface RouteOptions extends TransformOptions {
  readonly match: string;
  readonly tag?: string | undefined;
  readonly drop?: boolean | undefined;
}

export interface DestinationOptions {
  readonly tagPrefix: string | null;
  readonly routes: readonly RouteOptions[];
  /** What is done to all events, before what their route does. */
  readonly transform: TransformOptions;
  /** Values for `${name}` in added fields. */
  readonly placeholders: Readonly<Record<string, string | undefined>>;
  readonly joinPartials: boolean;
}

export interface Destination {
  /** Null where events are left out. */
  readonly builders: TagBuilders | null;
  /** The name of a tag that has no builders of its own: each event carries it. */
  readonly tag: string | null;
  readonly transforms: readonly Transform[];
  /** Keys whose records cannot be written as they come. */
  readonly watched: WatchedKeys;
  /** Members that stand behind those of a record without watched keys, each with a comma before it. */
  readonly added: Buffer;
  /** Whether every record has to be looked at, whatever its keys. */
  readonly examined: boolean;
}

interface Route {
  readonly matches: (tag: string) => boolean;
  readonly options: RouteOptions;
  readonly transforms: readonly Transform[];
}

export class Destinations {
  readonly #context: InputContext;
  readonly #options: DestinationOptions;
  readonly #routes: readonly Route[];
  readonly #common: readonly Transform[];
  readonly #known = new Map<string, Destination>();

  /** @throws TailraceError for a pattern or a transform that says no sense */
  constructor(options: DestinationOptions, context: InputContext, labels: Labels) {
    this.#context = context;
    this.#options = options;
    const redacted = context.counters.counter('tailrace_agent_forward_redacted_values_total', labels);
    const compile = ({ add, rename, remove, include, exclude, redact }: TransformOptions): Transform[] => {
      const transform = new Transform(
        { add, rename, remove, include, exclude, redact },
        options.placeholders,
        redacted,
      );
      return transform.identity ? [] : [transform];
    };
    this.#common = compile(options.transform);
    this.#routes = options.routes.map((route) => ({
      matches: compilePattern(route.match),
      options: route,
      transforms: [...this.#common, ...compile(route)],
    }));
  }

  /** The destination of a client's tag. */
  of(clientTag: string): Destination {
    const known = this.#known.get(clientTag);
    if (known) return known;
    const { tagPrefix, joinPartials } = this.#options;
    const tag = tagPrefix === null ? clientTag : `${tagPrefix}.${clientTag}`;
    const route = this.#routes.find(({ matches }) => matches(tag));
    const transforms = route?.transforms ?? this.#common;
    const filled = route?.options.tag ? fillTag(route.options.tag, tag) : tag;
    const name = filled === '' ? UNTAGGED : filled;
    const builders = route?.options.drop ? null : this.#context.builders.tag(name);
    // A path `user.name` means the field `user` as well.
    const fields = transforms.flatMap(({ fields }) =>
      [...fields].flatMap((path) => [path, path.split('.')[0]!]),
    );
    const destination: Destination = {
      builders,
      tag: builders === null || builders.tag === name ? null : name,
      transforms,
      watched: new WatchedKeys(joinPartials ? [PARTIAL_KEY, ...fields] : fields),
      added: Buffer.concat(transforms.map(({ added }) => added)),
      // With two transforms, what the first adds is the second's to change.
      examined:
        transforms.some(({ inclusions }) => inclusions > 0) ||
        transforms.length > 1 ||
        fields.includes('time'),
    };
    if (clientTag.length > CACHED_TAG_LETTERS) return destination;
    if (this.#known.size >= CACHED_TAGS) this.#known.clear();
    this.#known.set(clientTag, destination);
    return destination;
  }
}
