/** The readers that are tried on an archive, and how each is installed at the version that its manifest pins. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Codec } from '../../chunk/header.ts';

const PROGRAMS = path.join(import.meta.dirname, 'programs');

interface Toolchain {
  /** Asked for its version; readers of a toolchain that is not there are left out. */
  readonly probe: readonly string[];
  readonly install: readonly (readonly string[])[];
  /** Counts the lines or rows of a folder; of several, a line for each, where it takes `many`. */
  readonly count: (library: string, ...folders: string[]) => readonly string[];
  readonly many?: true;
  readonly files: readonly string[];
}

const PIP = ['-q', '--disable-pip-version-check', '-r', 'requirements.txt'];

const TOOLCHAINS = {
  python: {
    probe: ['python3', '--version'],
    files: ['requirements.txt', 'readers.py', 'values.py'],
    many: true,
    install: [
      ['python3', '-m', 'venv', 'venv'],
      ['venv/bin/pip', 'install', ...PIP],
    ],
    count: (library, ...folders) => ['venv/bin/python', 'readers.py', library, ...folders],
  },
  java: {
    probe: ['mvn', '--version'],
    files: ['pom.xml', 'Readers.java'],
    install: [
      ['mvn', '-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'],
      ['javac', '-cp', 'lib/*', 'Readers.java'],
    ],
    count: (library, folder) => ['java', '-cp', 'lib/*:.', 'Readers', library, folder],
  },
  athena: {
    probe: ['mvn', '--version'],
    files: ['athena.xml', 'Athena.java', 'athena.py', 'values.py'],
    many: true,
    install: [
      [
        ...['mvn', '-q', '-B', '-f', 'athena.xml', 'dependency:copy-dependencies'],
        ...['-DincludeScope=runtime', '-DoutputDirectory=lib'],
      ],
      ['javac', '-cp', 'lib/*', 'Athena.java'],
    ],
    count: (library, ...folders) => ['python3', 'athena.py', library, ...folders],
  },
  spark: {
    probe: ['java', '--version'],
    files: ['spark.txt', 'spark.py', 'values.py'],
    many: true,
    install: [
      ['python3', '-m', 'venv', 'venv'],
      ['venv/bin/pip', 'install', '-q', '--disable-pip-version-check', '-r', 'spark.txt'],
    ],
    count: (library, ...folders) => ['venv/bin/python', 'spark.py', library, ...folders],
  },
  go: {
    probe: ['go', 'version'],
    files: ['go.mod', 'go.sum', 'readers.go'],
    install: [['go', 'build', '-o', 'readers', 'readers.go']],
    count: (library, folder) => ['./readers', library, folder],
  },
  rust: {
    probe: ['cargo', '--version'],
    files: ['Cargo.toml', 'readers.rs'],
    install: [['cargo', 'build', '-q', '--release']],
    count: (library, folder) => ['target/release/readers', library, folder],
  },
  node: {
    probe: [process.execPath, '--version'],
    files: ['package.json', 'readers.mjs'],
    install: [['npm', 'install', '--no-audit', '--no-fund', '--silent']],
    count: (library, folder) => [process.execPath, 'readers.mjs', library, folder],
  },
  perl: {
    probe: ['perl', '-MIO::Uncompress::Gunzip', '-e', '1'],
    files: ['readers.pl'],
    install: [],
    count: (library, folder) => ['perl', 'readers.pl', library, folder],
  },
  ruby: {
    probe: ['ruby', '-rzlib', '-e', '1'],
    files: [],
    install: [],
    count: (_, folder) => [
      'ruby',
      '-rzlib',
      '-e',
      'puts Dir[ARGV[0] + "/*"].sum { |f| Zlib::GzipReader.open(f) { |z| z.read.count("\\n") } }',
      folder,
    ],
  },
  shell: {
    probe: ['bash', '-c', 'zcat --version'],
    files: [],
    install: [],
    count: (library, folder) => [
      'bash',
      '-c',
      `set -o pipefail; ${library} "$1"/* | wc -l`,
      'count',
      folder!,
    ],
  },
} satisfies Readonly<Record<string, Toolchain>>;

export interface Reader {
  readonly name: string;
  readonly toolchain: keyof typeof TOOLCHAINS;
  readonly library: string;
  readonly codecs: readonly Codec[];
  /**
   * Whether it parses the lines, too: by default, or with options, of which docs/archive-format.md has the text; `declared`
   * is an engine of a data lake, with a table by hand or that of `tailrace ddl`.
   */
  readonly parses?: 'by default' | 'with options' | 'declared';
}

const BOTH: readonly Codec[] = ['gzip', 'zstd'];

export const READERS: readonly Reader[] = [
  { name: 'DuckDB 2.0.1', toolchain: 'python', library: 'duckdb', codecs: BOTH, parses: 'by default' },
  {
    name: 'pyarrow 26.0.1 dataset',
    toolchain: 'python',
    library: 'pyarrow',
    codecs: BOTH,
    parses: 'by default',
  },
  { name: 'polars 2.1.0', toolchain: 'python', library: 'polars', codecs: BOTH, parses: 'by default' },
  { name: 'pandas 3.1.1', toolchain: 'python', library: 'pandas', codecs: BOTH, parses: 'by default' },
  {
    name: 'ClickHouse (chdb 4.4.0)',
    toolchain: 'python',
    library: 'chdb',
    codecs: BOTH,
    parses: 'by default',
  },
  {
    name: 'DataFusion 55.0.0',
    toolchain: 'python',
    library: 'datafusion',
    codecs: BOTH,
    parses: 'by default',
  },
  {
    name: 'jq',
    toolchain: 'shell',
    library: 'parsed() { zcat "$@" | jq -c .; }; parsed',
    codecs: ['gzip'],
    parses: 'by default',
  },
  ...['DuckDB', 'pyarrow', 'polars', 'pandas', 'ClickHouse', 'DataFusion'].map(
    (name): Reader => ({
      name: `${name}, options`,
      toolchain: 'python',
      library: `${name === 'ClickHouse' ? 'chdb' : name.toLowerCase()}_options`,
      codecs: ['gzip'],
      parses: 'with options',
    }),
  ),
  ...(
    [
      ['Spark 4.3.0, inferred', 'spark', 'spark'],
      ['Trino 411 OpenX, by hand', 'athena', 'trino_openx'],
      ['OpenX SerDe 1.3.9-e.12, by hand', 'athena', 'openx'],
      ['Trino 411 Hive JSON, by hand', 'athena', 'trino_hive'],
      ['Hive JsonSerDe 3.1.2, by hand', 'athena', 'hive'],
      ['Spark 4.3.0, ddl', 'spark', 'spark_ours'],
      ['Trino 411 OpenX, ddl', 'athena', 'trino_openx_ours'],
      ['OpenX SerDe 1.3.9-e.12, ddl', 'athena', 'openx_ours'],
    ] as const
  ).map(
    ([name, toolchain, library]): Reader => ({ name, toolchain, library, codecs: BOTH, parses: 'declared' }),
  ),
  { name: 'Python gzip', toolchain: 'python', library: 'gzip', codecs: ['gzip'] },
  { name: 'Python zlib.decompress', toolchain: 'python', library: 'zlib', codecs: ['gzip'] },
  { name: 'isal_zlib 1.9.1', toolchain: 'python', library: 'isal', codecs: ['gzip'] },
  { name: 'Java GZIPInputStream', toolchain: 'java', library: 'gzip', codecs: ['gzip'] },
  { name: 'Commons Compress 1.28.0', toolchain: 'java', library: 'commons', codecs: ['gzip'] },
  { name: 'aircompressor 2.0.2 gzip', toolchain: 'java', library: 'aircompressor', codecs: ['gzip'] },
  { name: 'Go compress/gzip', toolchain: 'go', library: 'gzip', codecs: ['gzip'] },
  { name: 'klauspost/compress 1.18.0 gzip', toolchain: 'go', library: 'klauspost', codecs: ['gzip'] },
  { name: 'pgzip 1.2.6', toolchain: 'go', library: 'pgzip', codecs: ['gzip'] },
  { name: 'Rust flate2 1.1.5 GzDecoder', toolchain: 'rust', library: 'gz', codecs: ['gzip'] },
  { name: 'Rust flate2 1.1.5 MultiGzDecoder', toolchain: 'rust', library: 'multigz', codecs: ['gzip'] },
  { name: 'Node gunzipSync', toolchain: 'node', library: 'gunzip', codecs: ['gzip'] },
  { name: 'DecompressionStream of Node', toolchain: 'node', library: 'stream', codecs: ['gzip'] },
  { name: 'fflate 0.8.2 gunzipSync', toolchain: 'node', library: 'fflate', codecs: ['gzip'] },
  { name: 'pako 2.1.0', toolchain: 'node', library: 'pako', codecs: ['gzip'] },
  { name: 'Perl IO::Uncompress::Gunzip', toolchain: 'perl', library: 'gunzip', codecs: ['gzip'] },
  { name: 'Perl gzopen', toolchain: 'perl', library: 'gzopen', codecs: ['gzip'] },
  { name: 'Ruby GzipReader#read', toolchain: 'ruby', library: '', codecs: ['gzip'] },
  { name: 'zcat', toolchain: 'shell', library: 'zcat', codecs: ['gzip'] },
  { name: 'zstd command', toolchain: 'shell', library: 'zstd -dcq', codecs: ['zstd'] },
  { name: 'zstandard 0.25.0 stream_reader', toolchain: 'python', library: 'zstandard', codecs: ['zstd'] },
  {
    name: 'zstandard 0.25.0 decompress',
    toolchain: 'python',
    library: 'zstandard_decompress',
    codecs: ['zstd'],
  },
  { name: 'zstd-jni 1.5.7-4', toolchain: 'java', library: 'zstd_jni', codecs: ['zstd'] },
  { name: 'aircompressor 2.0.2 zstd', toolchain: 'java', library: 'aircompressor_zstd', codecs: ['zstd'] },
  { name: 'klauspost/compress 1.18.0 zstd', toolchain: 'go', library: 'zstd', codecs: ['zstd'] },
  { name: 'Rust zstd 0.13.3', toolchain: 'rust', library: 'zstd', codecs: ['zstd'] },
  { name: 'ruzstd 0.8.2', toolchain: 'rust', library: 'ruzstd', codecs: ['zstd'] },
  { name: 'Node zstdDecompressSync', toolchain: 'node', library: 'zstd', codecs: ['zstd'] },
  { name: 'fzstd 0.1.1', toolchain: 'node', library: 'fzstd', codecs: ['zstd'] },
];

/** Toolchains by their folder below `cache`, with their readers installed; those that are not there are left out. */
export function installReaders(
  cache: string,
  wanted: ReadonlySet<Reader['toolchain']>,
): ReadonlyMap<Reader['toolchain'], string> {
  const ready = new Map<Reader['toolchain'], string>();
  for (const [name, { probe, files, install }] of Object.entries(TOOLCHAINS)) {
    if (!wanted.has(name as Reader['toolchain'])) continue;
    const folder = path.join(cache, name);
    fs.mkdirSync(folder, { recursive: true });
    if (run(probe, folder).status !== 0) {
      process.stderr.write(`${name} is not installed: its readers are left out\n`);
      continue;
    }
    const source = files.map((file) => fs.readFileSync(path.join(PROGRAMS, file), 'utf8')).join('\n');
    const mark = path.join(folder, 'installed-from');
    if (!fs.existsSync(mark) || fs.readFileSync(mark, 'utf8') !== source) {
      process.stderr.write(`installing the readers of ${name}\n`);
      for (const file of files) fs.copyFileSync(path.join(PROGRAMS, file), path.join(folder, file));
      const failed = install.map((command) => run(command, folder)).find(({ status }) => status !== 0);
      if (failed) throw new Error(`cannot install the readers of ${name}: ${failed.text}`);
      fs.writeFileSync(mark, source);
    }
    ready.set(name as Reader['toolchain'], folder);
  }
  return ready;
}

/** What a reader made of a folder. */
export type Outcome =
  | { readonly rows: number /** Lines whose values it gives otherwise. */; readonly misread?: number }
  | { /** Its last words. */ readonly error: string };

/** What a reader makes of each of the folders. */
export function readFolders(reader: Reader, installed: string, folders: readonly string[]): Outcome[] {
  const toolchain: Toolchain = TOOLCHAINS[reader.toolchain];
  if (!toolchain.many)
    return folders.map((folder) => {
      const { status, text } = run(toolchain.count(reader.library, folder), installed);
      return status === 0 && /^\d+$/.test(text) ? { rows: Number(text) } : failure(status, text, folder);
    });
  const { status, text } = run(toolchain.count(reader.library, ...folders), installed);
  const lines = text.split('\n');
  if (status !== 0 || lines.length !== folders.length) throw new Error(`${reader.name}: ${text}`);
  return lines.map((line) => {
    const [, rows, misread] = /^(\d+) (\d+)$/.exec(line) ?? [];
    if (rows === undefined) return { error: line.slice('error '.length) };
    return { rows: Number(rows), ...(misread === '0' ? {} : { misread: Number(misread) }) };
  });
}

function failure(status: number | null, text: string, folder: string): Outcome {
  const lines = text.replaceAll(`${folder}/`, '').split('\n');
  // Node ends with its version.
  const last = lines.findLast((line) => /\w/.test(line) && !/^Node\.js v/.test(line));
  return { error: last?.slice(0, 200) ?? `ended with ${status} and without a word` };
}

function run([command, ...args]: readonly string[], cwd: string): { status: number | null; text: string } {
  const options = { cwd, encoding: 'utf8', timeout: 900_000 } as const;
  const { status, stdout, stderr, error } = spawnSync(command!, args, options);
  const text = status === 0 ? stdout.trim() : [stdout, stderr, error?.message ?? ''].join('\n').trim();
  return { status, text };
}
