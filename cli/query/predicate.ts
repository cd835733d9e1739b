/**
 * Which objects a statement can need, from the conditions of its WHERE clauses on `tag`, `time` and `hour`.
 *
 * An object may be passed over only when no row of it can have a part in the result. So what is not understood limits
 * nothing, and every place where the statement names `logs` has to allow it.
 */
import { isOpaque, isTable, listOf, type Part, walk } from './statement.ts';

/** Rows can only match with a tag and times like these. Times are microseconds since 1970, both included. */
export interface Box {
  readonly tag: ((tag: string) => boolean) | null;
  readonly time: readonly [from: number, to: number];
  /** Beginning of the hour. */
  readonly hour: readonly [from: number, to: number];
}

export interface Constant {
  /** As DuckDB names it. */
  readonly type: string;
  readonly text: string;
  /** As a TIMESTAMP, microseconds since 1970; null when it is not one. */
  readonly micros: number | null;
}

/** The value of an expression without columns; null when it has none that stays the same. */
export type Evaluate = (expression: Part) => Promise<Constant | null>;

const ALL: readonly [number, number] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
const EVERYTHING: Box = { tag: null, time: ALL, hour: ALL };
/** Conditions that come to more are taken for no condition. */
const MAX_BOXES = 200;
const DAY_US = 86_400e6;
const WIDTHS: Readonly<Record<string, number>> = { second: 1e6, minute: 60e6, hour: 3600e6, day: DAY_US };
/** Joins in which a row that WHERE rejects has no influence on the others. */
const PLAIN_JOINS: ReadonlySet<unknown> = new Set(['REGULAR', 'CROSS']);

/** An object as a condition sees it; milliseconds since 1970. */
export interface Bounds {
  readonly tag: string;
  readonly hour: number;
  readonly firstTime: number;
  readonly lastTime: number;
}

/** Whether an object can hold a row that one of the boxes allows. */
export function isNeeded({ tag, hour, firstTime, lastTime }: Bounds, boxes: readonly Box[]): boolean {
  const begin = hour * WIDTHS.hour!;
  return boxes.some(
    (box) =>
      firstTime * 1000 <= box.time[1] &&
      lastTime * 1000 + 999 >= box.time[0] &&
      begin >= box.hour[0] &&
      begin <= box.hour[1] &&
      (box.tag === null || box.tag(tag)),
  );
}

/** What the rows of `logs` that count can be like: in one of the boxes. */
export async function boxesOf(tree: unknown, evaluate: Evaluate): Promise<readonly Box[]> {
  if (isOpaque(tree)) return [EVERYTHING];
  const selects: Part[] = [];
  let mentions = 0;
  walk(tree, (part) => {
    if (part.type === 'SELECT_NODE') selects.push(part);
    if (isTable(part, 'logs')) mentions += 1;
  });
  const boxes: Box[] = [];
  let understood = 0;
  for (const select of selects) {
    const tables = tablesOf(select.from_table);
    for (const table of tables ?? []) {
      if (!isTable(table, 'logs')) continue;
      understood += 1;
      const isSampled = (select.sample ?? table.sample ?? null) !== null;
      const isRenamed = listOf(table.column_name_alias).length > 0;
      if (isSampled || isRenamed) return [EVERYTHING];
      const scope = {
        evaluate,
        name: String(table.alias || 'logs').toLowerCase(),
        alone: tables!.length === 1,
      };
      boxes.push(...(await conditionBoxes(select.where_clause, scope)));
    }
  }
  // Somewhere else than in the FROM of a SELECT, such as under a pivot or a join of another kind.
  return understood < mentions || boxes.length > MAX_BOXES ? [EVERYTHING] : boxes;
}

/** The tables that are joined in a FROM; null when they are joined in a way that a WHERE cannot be applied before. */
function tablesOf(from: unknown): Part[] | null {
  const part = from as Part | null;
  if (part === null || typeof part !== 'object') return null;
  if (part.type !== 'JOIN') return [part];
  if (!PLAIN_JOINS.has(part.ref_type)) return null;
  const [left, right] = [tablesOf(part.left), tablesOf(part.right)];
  return left && right && [...left, ...right];
}

interface Scope {
  readonly evaluate: Evaluate;
  /** By which columns of the table are qualified. */
  readonly name: string;
  /** Whether a column without a qualifier is of this table. */
  readonly alone: boolean;
}

/** Boxes in which every row is for which the expression is true. */
async function conditionBoxes(expression: unknown, scope: Scope): Promise<readonly Box[]> {
  const part = expression as Part | null;
  switch (part?.type) {
    case 'CONJUNCTION_AND': {
      let boxes: readonly Box[] = [EVERYTHING];
      for (const child of listOf(part.children)) {
        const others = await conditionBoxes(child, scope);
        if (boxes.length * others.length > MAX_BOXES) continue;
        boxes = boxes.flatMap((box) => others.map((other) => both(box, other)));
      }
      return boxes;
    }
    case 'CONJUNCTION_OR': {
      const boxes: Box[] = [];
      for (const child of listOf(part.children)) boxes.push(...(await conditionBoxes(child, scope)));
      return boxes.length > MAX_BOXES ? [EVERYTHING] : boxes;
    }
    case 'COMPARE_BETWEEN':
      return [
        both(
          await comparison(part.input, '>=', part.lower, scope),
          await comparison(part.input, '<=', part.upper, scope),
        ),
      ];
    case 'COMPARE_IN':
      return [await membership(listOf(part.children), scope)];
    case 'FUNCTION':
      return [await pattern(part, scope)];
    default: {
      const operator = OPERATORS[String(part?.type)];
      if (!part || operator === undefined) return [EVERYTHING];
      const box = await comparison(part.left, operator, part.right, scope);
      return [box === EVERYTHING ? await comparison(part.right, MIRRORED[operator], part.left, scope) : box];
    }
  }
}

type Operator = '=' | '<' | '<=' | '>' | '>=';
const OPERATORS: Readonly<Record<string, Operator>> = {
  COMPARE_EQUAL: '=',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
};
const MIRRORED: Readonly<Record<Operator, Operator>> = {
  '=': '=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

function both(a: Box, b: Box): Box {
  const [first, second] = [a.tag, b.tag];
  return {
    tag: first && second ? (tag) => first(tag) && second(tag) : (first ?? second),
    time: [Math.max(a.time[0], b.time[0]), Math.min(a.time[1], b.time[1])],
    hour: [Math.max(a.hour[0], b.hour[0]), Math.min(a.hour[1], b.hour[1])],
  };
}

interface Subject {
  readonly column: 'tag' | 'time' | 'hour';
  /** Microseconds to whose whole multiples the time is rounded down. */
  readonly width: number;
}

/** What of the table an expression is about; null when it is something else. */
function subjectOf(expression: unknown, scope: Scope): Subject | null {
  const part = expression as Part;
  if (part?.type === 'COLUMN_REF') {
    const path = listOf(part.column_names).map((name) => String(name).toLowerCase());
    const column = path.at(-1);
    const isOurs = path.length === 1 ? scope.alone : path.length === 2 && path[0] === scope.name;
    if (!isOurs || (column !== 'tag' && column !== 'time' && column !== 'hour')) return null;
    return { column, width: 0 };
  }
  const inner = (child: unknown, width: number): Subject | null => {
    const subject = subjectOf(child, scope);
    return subject === null || subject.column === 'tag' || subject.width > 0 ? null : { ...subject, width };
  };
  if (part?.type === 'OPERATOR_CAST' && (part.cast_type as Part).id === 'DATE')
    return inner(part.child, DAY_US);
  if (part?.type === 'FUNCTION' && part.function_name === 'date_trunc') {
    const [unit, child] = listOf(part.children) as Part[];
    const name = unit?.type === 'VALUE_CONSTANT' ? (unit.value as Part).value : null;
    const width = typeof name === 'string' ? WIDTHS[name.toLowerCase()] : undefined;
    return width === undefined ? null : inner(child, width);
  }
  return null;
}

async function comparison(left: unknown, operator: Operator, right: unknown, scope: Scope): Promise<Box> {
  const subject = subjectOf(left, scope);
  const constant = subject && (await scope.evaluate(right as Part));
  if (!constant) return EVERYTHING;
  if (subject.column === 'tag') {
    return operator === '=' && constant.type === 'VARCHAR'
      ? { ...EVERYTHING, tag: (tag) => tag === constant.text }
      : EVERYTHING;
  }
  const { micros } = constant;
  if (micros === null || !TIME_TYPES.test(constant.type)) return EVERYTHING;
  return { ...EVERYTHING, [subject.column]: limits(operator, micros, subject.width, constant.type) };
}

/** Times of which `floor(time, width) operator micros` can be true. */
function limits(operator: Operator, micros: number, width: number, type: string): [number, number] {
  // A text may be read as a date, and nanoseconds are cut off.
  const from = width === DAY_US && type === 'VARCHAR' ? Math.floor(micros / DAY_US) * DAY_US : micros;
  const step = width === 0 && type !== 'TIMESTAMP_NS' ? 1 : 0;
  const to = micros + Math.max(0, width - 1);
  switch (operator) {
    case '=':
      return [from, to];
    case '<':
      return [ALL[0], to - step];
    case '<=':
      return [ALL[0], to];
    case '>':
      return [from + step, ALL[1]];
    case '>=':
      return [from, ALL[1]];
  }
}

const TIME_TYPES = /^(?:VARCHAR|DATE|TIMESTAMP.*)$/;

async function membership([subject, ...values]: readonly unknown[], scope: Scope): Promise<Box> {
  if (subjectOf(subject, scope)?.column !== 'tag') return EVERYTHING;
  const tags = new Set<string>();
  for (const value of values) {
    const constant = await scope.evaluate(value as Part);
    if (constant?.type !== 'VARCHAR') return EVERYTHING;
    tags.add(constant.text);
  }
  return { ...EVERYTHING, tag: (tag) => tags.has(tag) };
}

/** `tag LIKE 'nginx.%'` and `starts_with(tag, 'nginx.')`. */
async function pattern({ function_name: name, children }: Part, scope: Scope): Promise<Box> {
  const [subject, value, ...more] = listOf(children);
  const isLike = name === '~~';
  if (!isLike && name !== 'starts_with' && name !== 'prefix' && name !== '^@') return EVERYTHING;
  if (more.length > 0 || subjectOf(subject, scope)?.column !== 'tag') return EVERYTHING;
  const constant = await scope.evaluate(value as Part);
  if (constant?.type !== 'VARCHAR') return EVERYTHING;
  const { text } = constant;
  if (!isLike) return { ...EVERYTHING, tag: (tag) => tag.startsWith(text) };
  const source = [...text].map((char) =>
    char === '%' ? '.*' : char === '_' ? '.' : char.replace(/[\\^$.|?*+()[\]{}]/, '\\$&'),
  );
  const expression = new RegExp(`^${source.join('')}$`, 'su');
  return { ...EVERYTHING, tag: (tag) => expression.test(tag) };
}
