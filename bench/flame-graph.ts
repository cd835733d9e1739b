/** A flame graph of a V8 CPU profile, as SVG: functions by their names alone, without the files they are in. */
import { escaped } from './svg-plots.ts';

/** What `--cpu-prof` writes. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

interface Frame {
  readonly name: string;
  time: number;
  readonly children: Map<string, Frame>;
}

const WIDTH = 1000;
const HEIGHT = 17;
const TOP = 34;
/** Frames that take a smaller share are left out. */
const LEAST = 0.002;
const NOT_WORK = new Set(['(idle)', '(root)']);

/**
 * The same functions under the same callers are one frame.
 *
 * @param from samples before this share of the profile are left out: the start
 */
export function framesOf({ nodes, samples, timeDeltas }: CpuProfile, from = 0): Frame {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const nameOf = (id: number): string => {
    const { functionName, url } = byId.get(id)!.callFrame;
    if (functionName !== '') return functionName;
    return url.startsWith('node:') ? `(${url})` : '(anonymous)';
  };
  const root: Frame = { name: 'all', time: 0, children: new Map() };
  for (let i = Math.floor(samples.length * from); i < samples.length; i++) {
    const path: string[] = [];
    for (let id: number | undefined = samples[i]!; id !== undefined; id = parents.get(id)) {
      path.push(nameOf(id));
    }
    if (path[0] === '(idle)') continue;
    const time = Math.max(0, timeDeltas[i]!);
    let frame = root;
    frame.time += time;
    for (const name of path.toReversed()) {
      if (NOT_WORK.has(name)) continue;
      const child = frame.children.get(name) ?? { name, time: 0, children: new Map() };
      frame.children.set(name, child);
      child.time += time;
      frame = child;
    }
  }
  return root;
}

export function flameGraph(title: string, root: Frame): string {
  const parts: string[] = [];
  let depth = 0;
  const draw = (frame: Frame, x: number, level: number): void => {
    const width = (frame.time / root.time) * WIDTH;
    if (width < LEAST * WIDTH) return;
    depth = Math.max(depth, level);
    const share = `${((frame.time / root.time) * 100).toFixed(1)} %`;
    const y = TOP + level * HEIGHT;
    const shown = escaped(frame.name).slice(0, Math.max(0, Math.floor((width - 6) / 6.2)));
    parts.push(
      `<g><title>${escaped(frame.name)}: ${share}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${HEIGHT - 1}" fill="${colorOf(frame.name)}"/>${shown.length > 2 ? `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${shown}</text>` : ''}</g>`,
    );
    let at = x;
    for (const child of [...frame.children.values()].sort((a, b) => b.time - a.time)) {
      draw(child, at, level + 1);
      at += (child.time / root.time) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = TOP + (depth + 1) * HEIGHT + 6;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="10"><title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="4" y="20" font-size="14" font-family="sans-serif">${escaped(title)}</text>
${parts.join('\n')}
</svg>
`;
}

/** Warm colors, the same for the same name; garbage collection is blue. */
function colorOf(name: string): string {
  if (name === '(garbage collector)') return '#8ab4f8';
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return `hsl(${hash % 50} 85% ${62 + (hash % 13)}%)`;
}
