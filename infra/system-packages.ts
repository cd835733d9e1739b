/**
 * `npm run package:system`: deb and rpm packages of the agent or the consumer, made by nfpm from the same tarball, with
 * manual pages, shell completion, JSON Schemas, a bill of materials (CycloneDX) and SHA-256 sums. The same source gives
 * the same bytes.
 *
 *     npm run package:system                          the agent's, for this machine's architecture, to dist/
 *     npm run package:system -- --consumer --arch arm64
 *
 * NFPM names the program; without it `go run` builds the pinned version.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch as hostArch, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Arch, buildPackage } from './package.ts';

const ROOT = join(import.meta.dirname, '..');
const SCRIPTS = join(import.meta.dirname, 'scripts', 'system-package');
const NFPM = 'github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2';
const ARCHITECTURES: Readonly<Record<Arch, string>> = { x64: 'amd64', arm64: 'arm64' };
/** One time for every file, and for the packages themselves. */
const EPOCH = 315_532_800;
const FORMATS = ['deb', 'rpm'] as const;

interface Options {
  readonly of: 'agent' | 'consumer';
  readonly arch: Arch;
  readonly out: string;
  /** Of the package; package.json's unless said. */
  readonly version?: string;
}

interface Content {
  readonly src: string;
  readonly dst: string;
  readonly type?: string;
  readonly file_info?: { readonly mode: number };
}

/** @returns the paths of the packages */
export async function buildSystemPackages(options: Options): Promise<string[]> {
  const { of, arch, out } = options;
  const work = mkdtempSync(join(tmpdir(), 'tailrace-system-'));
  try {
    const tarball = await buildPackage({ of, archs: [arch], out: work, level: 1 });
    execFileSync('tar', ['-C', work, '-xzf', tarball]);
    const version = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version as string;
    const name = of === 'agent' ? 'tailrace' : 'tailrace-consumer';
    const generated = join(work, 'generated');
    const unpacked = join(work, `${name}-${version}`);
    generate(generated);
    writeConfiguration(of, name, unpacked, generated);
    const config = join(work, 'nfpm.json');
    const contents = contentsOf(of, name, unpacked, generated);
    const described = description(of, name, options.version ?? version, arch, contents);
    writeFileSync(config, JSON.stringify(described));
    mkdirSync(out, { recursive: true });
    return FORMATS.map((format) => pack(format, config, out));
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Manual pages, completion and schemas, printed by the command itself. */
function generate(folder: string): void {
  const print = (...args: string[]): string =>
    execFileSync(process.execPath, [join(ROOT, 'cli', 'tailrace.ts'), ...args], { encoding: 'utf8' });
  mkdirSync(folder);
  print('man', '--directory', join(folder, 'man'));
  for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(folder, shell), print('completion', shell));
  for (const kind of ['agent', 'consumer'])
    writeFileSync(join(folder, `${kind}.schema.json`), print('schema', kind));
}

/** The default configuration, whose first line names the schema for editors with the YAML language server. */
function writeConfiguration(of: Options['of'], name: string, unpacked: string, generated: string): void {
  const text = readFileSync(join(unpacked, 'systemd', `${of}.yaml`), 'utf8');
  const line = `# yaml-language-server: $schema=/usr/share/${name}/${of}.schema.json\n`;
  writeFileSync(join(generated, `${of}.yaml`), line + text);
}

function contentsOf(of: Options['of'], name: string, unpacked: string, generated: string): Content[] {
  const config = { src: join(generated, `${of}.yaml`), dst: `/etc/tailrace/${of}.yaml` };
  const program: Content[] = ['bin', 'lib', 'node', ...(of === 'consumer' ? ['jars'] : [])].map((folder) => ({
    src: join(unpacked, folder),
    dst: `/opt/${name}/${folder}`,
    type: 'tree',
  }));
  const both: Content[] = [
    ...program,
    { src: `/opt/${name}/bin/tailrace`, dst: `/usr/bin/${name}`, type: 'symlink' },
    { src: join(unpacked, 'systemd', `${name}.service`), dst: `/usr/lib/systemd/system/${name}.service` },
    // An agent's may hold the keys of forward clients.
    { ...config, type: 'config|noreplace', file_info: { mode: of === 'agent' ? 0o640 : 0o644 } },
    { src: join(unpacked, 'LICENSE'), dst: `/usr/share/doc/${name}/copyright` },
    { src: join(generated, `${of}.schema.json`), dst: `/usr/share/${name}/${of}.schema.json` },
  ];
  if (of === 'consumer') return both;
  const pages = globSync('*.1', { cwd: join(generated, 'man') }).sort();
  return [
    ...both,
    {
      src: join(unpacked, 'systemd', 'tailrace.logrotate'),
      dst: '/etc/logrotate.d/tailrace',
      type: 'config|noreplace',
    },
    ...pages.map((page) => ({ src: join(generated, 'man', page), dst: `/usr/share/man/man1/${page}` })),
    { src: join(generated, 'bash'), dst: '/usr/share/bash-completion/completions/tailrace' },
    { src: join(generated, 'zsh'), dst: '/usr/share/zsh/site-functions/_tailrace' },
    { src: join(generated, 'fish'), dst: '/usr/share/fish/vendor_completions.d/tailrace.fish' },
  ];
}

/** What nfpm is given (https://nfpm.goreleaser.com/docs/configuration/). */
function description(
  of: Options['of'],
  name: string,
  version: string,
  arch: Arch,
  contents: readonly Content[],
): object {
  const time = new Date(EPOCH * 1000).toISOString();
  const java = of === 'consumer' ? { recommends: ['java17-runtime-headless'] } : {};
  return {
    name,
    version,
    arch: ARCHITECTURES[arch],
    platform: 'linux',
    section: 'admin',
    maintainer: 'The tailrace maintainers <maintainers@tailrace.invalid>',
    description:
      of === 'agent'
        ? 'Carries web-server logs to an S3 archive through Kinesis: the agent'
        : 'Carries web-server logs to an S3 archive through Kinesis: the archiver',
    license: 'MIT',
    mtime: time,
    overrides: { deb: { depends: ['libc6 (>= 2.28)'], ...java }, rpm: { depends: ['glibc >= 2.28'] } },
    rpm: { buildhost: 'tailrace', compression: 'gzip:9' },
    deb: { compression: 'gzip' },
    scripts: {
      postinstall: join(SCRIPTS, `${of}-installed.sh`),
      preremove: join(SCRIPTS, `${of}-removing.sh`),
    },
    contents: contents.map((content) => ({
      ...content,
      ...(content.type === 'symlink' ? {} : { file_info: { mtime: time, ...content.file_info } }),
    })),
  };
}

function pack(format: (typeof FORMATS)[number], config: string, out: string): string {
  const [program, ...before] = process.env.NFPM ? [process.env.NFPM] : ['go', 'run', NFPM];
  const text = execFileSync(
    program!,
    [...before, 'package', '--config', config, '--packager', format, '--target', out],
    {
      encoding: 'utf8',
      env: { ...process.env, SOURCE_DATE_EPOCH: String(EPOCH) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const found = /created package: (.+)/.exec(text)?.[1];
  if (found === undefined) throw new Error(`nfpm did not name its package: ${text}`);
  return found;
}

interface Bill {
  readonly serialNumber: string;
  readonly metadata: { timestamp?: string };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Component {
  readonly 'bom-ref': string;
  readonly properties: readonly { readonly name: string }[];
}

const DEVELOPMENT = 'cdx:npm:package:development';

/**
 * What the locked packages are, for scanners; it names no time and no random number, so that it stays the same. `npm sbom
 * --omit dev` leaves out what development needs as well (npm 11.19.1), so what it marks is left out here.
 */
function writeBillOfMaterials(out: string): string {
  const text = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const { serialNumber: _, metadata, ...rest } = JSON.parse(text) as Bill;
  delete metadata.timestamp;
  const components = rest.components.filter(
    ({ properties }) => !properties.some(({ name }) => name === DEVELOPMENT),
  );
  const shipped = new Set(components.map((component) => component['bom-ref']));
  const dependencies = rest.dependencies
    .filter(
      ({ ref }) => shipped.has(ref) || rest.components.every((component) => component['bom-ref'] !== ref),
    )
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((to) => shipped.has(to)) }));
  const file = join(out, 'tailrace.cdx.json');
  writeFileSync(file, `${JSON.stringify({ ...rest, metadata, components, dependencies }, null, 1)}\n`);
  return file;
}

function writeSums(out: string, files: readonly string[]): void {
  const lines = files.map((file) => {
    const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
    return `${hash}  ${basename(file)}\n`;
  });
  writeFileSync(join(out, 'SHA256SUMS'), lines.join(''));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      consumer: { type: 'boolean', default: false },
      arch: { type: 'string', default: hostArch() },
      out: { type: 'string', default: join(ROOT, 'dist') },
    },
  });
  if (!Object.hasOwn(ARCHITECTURES, values.arch)) {
    process.stderr.write(`--arch: expected x64 or arm64, not ${values.arch}\n`);
    process.exit(2);
  }
  const of = values.consumer ? 'consumer' : 'agent';
  const packages = await buildSystemPackages({ of, arch: values.arch as Arch, out: values.out });
  const files = [...packages, writeBillOfMaterials(values.out)];
  writeSums(values.out, files);
  process.stdout.write(`${[...files, join(values.out, 'SHA256SUMS')].join('\n')}\n`);
}
