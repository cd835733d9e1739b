/** The plots of docs/performance.md, as SVG: lines over time, and bars next to each other. */

const COLORS = ['#d55', '#47a', '#5a5', '#999'];
const WIDTH = 760;
const LEFT = 60;

interface LinePlot {
  readonly title: string;
  /** What the values are counted by, from 1 on. */
  readonly x: string;
  readonly lines: readonly { readonly name: string; readonly values: readonly number[] }[];
}

/** From zero on, so that what is flat looks flat. */
export function linePlot({ title, x, lines }: LinePlot): string {
  const [top, height] = [40, 200];
  const most = ceiling(Math.max(...lines.flatMap(({ values }) => values)));
  const count = Math.max(...lines.map(({ values }) => values.length));
  const right = WIDTH - 20;
  const across = (i: number): string => (LEFT + ((right - LEFT) * i) / Math.max(1, count - 1)).toFixed(1);
  const up = (value: number): string => (top + height - (value / most) * height).toFixed(1);
  const scale = [0, most / 2, most].map(
    (value) =>
      `<line x1="${LEFT}" y1="${up(value)}" x2="${right}" y2="${up(value)}" stroke="#ddd"/>` +
      `<text x="${LEFT - 8}" y="${Number(up(value)) + 4}" text-anchor="end">${value}</text>`,
  );
  const drawn = lines.map(({ name, values }, i) => {
    const points = values.map((value, at) => `${across(at)},${up(value)}`).join(' ');
    return `<polyline fill="none" stroke="${COLORS[i]}" stroke-width="1.5" points="${points}"/><text x="${LEFT + i * 160}" y="${top + height + 40}" fill="${COLORS[i]}">${escaped(name)}</text>`;
  });
  const under = `<text x="${LEFT}" y="${top + height + 18}">1</text><text x="${right}" y="${top + height + 18}" text-anchor="end">${count} ${escaped(x)}</text>`;
  return document(title, top + height + 56, [...scale, ...drawn, under]);
}

/** The next round number. */
function ceiling(value: number): number {
  const step = 10 ** Math.floor(Math.log10(value));
  return Math.ceil(value / step) * step;
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function document(title: string, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12"><title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT}" y="22" font-size="14">${escaped(title)}</text>
${parts.join('\n')}
</svg>
`;
}

interface BarPlot {
  readonly title: string;
  readonly series: readonly string[];
  readonly rows: readonly { readonly name: string; readonly values: readonly Range[] }[];
}

interface Range {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** A group of bars for each row, a bar for each series; a thin line is the range. */
export function barPlot({ title, series, rows }: BarPlot): string {
  const [left, top, thick, gap] = [200, 56, 13, 14];
  const most = Math.max(...rows.flatMap(({ values }) => values.map(({ highest }) => highest)));
  const across = (value: number): number => left + ((WIDTH - left - 60) * value) / most;
  const legend = series.map(
    (name, i) =>
      `<rect x="${left + i * 160}" y="34" width="12" height="10" fill="${COLORS[i]}"/><text x="${left + 18 + i * 160}" y="43">${escaped(name)}</text>`,
  );
  const groups = rows.map(({ name, values }, row) => {
    const y = top + row * (thick * series.length + gap);
    const bars = values.map(({ median, lowest, highest }, i) => {
      const at = y + i * thick;
      const middle = at + thick / 2;
      return `<rect x="${left}" y="${at}" width="${(across(median) - left).toFixed(1)}" height="${thick - 2}" fill="${COLORS[i]}"/><line x1="${across(lowest).toFixed(1)}" y1="${middle}" x2="${across(highest).toFixed(1)}" y2="${middle}" stroke="#222"/><text x="${(across(Math.max(highest, median)) + 5).toFixed(1)}" y="${at + thick - 3}">${Math.round(median)}</text>`;
    });
    return `<text x="${left - 10}" y="${y + thick + 2}" text-anchor="end">${escaped(name)}</text>${bars.join('')}`;
  });
  return document(title, top + rows.length * (thick * series.length + gap) + 10, [...legend, ...groups]);
}
