/**
 * `npm run package`: one tarball for servers that needs nothing but Linux: bundled JavaScript, a pinned Node next to
 * it, a systemd unit, a default configuration and an install script. The consumer's has KCL's jars, too, and needs Java.
 *
 *     npm run package                          the agent's, for this machine's architecture, to dist/
 *     npm run package -- --consumer            the consumer's
 *     npm run package -- --arch x64,arm64      one tarball for both
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { arch as hostArch, tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Plugin } from 'esbuild';
import { TailraceError } from '../base/errors.ts';
import { buildPage } from '../cli/console/build-page.ts';
import { ensureJars } from '../consumer/kcl/jars.ts';
import { quickBuiltins } from './quick-builtins.ts';

const ROOT = join(import.meta.dirname, '..');
const SYSTEMD = join(import.meta.dirname, 'systemd');
const NODE_VERSION = '24.21.0';
/** What the npm registry says of the packages that hold Node's own binaries. */
const NODE_INTEGRITY = {
  x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
} as const;
export type Arch = keyof typeof NODE_INTEGRITY;

interface Contents {
  readonly name: string;
  /** What lib/ has: each with what it imports. */
  readonly programs: Readonly<Record<string, string>>;
  /** Commands that need more than such a server has: a JVM, or the whole embedded stack. */
  readonly absent: RegExp;
  /** A command that also gets a folder of its own in lib/, with fewer files to load at its start. */
  readonly quick?: string;
  /** From infra/systemd/; install.sh goes by them. */
  readonly systemd: readonly string[];
  readonly jars: boolean;
}

const CLI = join(ROOT, 'cli', 'tailrace.ts');
const PACKAGES: Readonly<Record<'agent' | 'consumer', Contents>> = {
  agent: {
    name: 'tailrace',
    programs: { tailrace: CLI },
    absent: /\/commands\/(consumer|local)\.ts$/,
    quick: 'agent',
    systemd: ['agent.yaml', 'tailrace.service', 'tailrace.logrotate'],
    jars: false,
  },
  consumer: {
    name: 'tailrace-consumer',
    // The daemon starts the child by its path: it is next to the file that has daemon.ts in it.
    programs: { tailrace: CLI, child: join(ROOT, 'consumer', 'shard', 'child.ts') },
    absent: /\/commands\/local\.ts$/,
    systemd: ['consumer.yaml', 'tailrace-consumer.service'],
    jars: true,
  },
};

export interface PackageOptions {
  /** Whose package; the agent's unless said. */
  readonly of?: keyof typeof PACKAGES;
  readonly archs: readonly Arch[];
  /** Where the tarball goes. */
  readonly out: string;
  /** gzip's level; 1 for those in a hurry. */
  readonly level?: number;
}

/**
 * Builds the package.
 *
 * @returns the path of the tarball
 * @throws TailraceError when a Node for an architecture or a jar cannot be fetched or is not the pinned one
 */
export async function buildPackage({ of = 'agent', archs, out, level = 9 }: PackageOptions): Promise<string> {
  const contents = PACKAGES[of];
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const work = mkdtempSync(join(tmpdir(), 'tailrace-package-'));
  try {
    const name = `${contents.name}-${version}`;
    const folder = join(work, name);
    mkdirSync(join(folder, 'bin'), { recursive: true });
    await bundle(contents, join(folder, 'lib'));
    for (const arch of archs) {
      mkdirSync(join(folder, 'node', arch), { recursive: true });
      placeNode(arch, join(folder, 'node', arch, 'node'), work);
    }
    if (contents.jars) await placeJars(join(folder, 'jars'));
    placeInstaller(of, version, folder);
    place(join(SYSTEMD, 'tailrace.sh'), join(folder, 'bin', 'tailrace'), 0o755);
    place(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'), 0o644);
    mkdirSync(out, { recursive: true });
    const tarball = join(out, `${name}-linux-${archs.join('-')}.tar.gz`);
    // The same files in the same order with the same times: the same tarball for the same source.
    const stable = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    execFileSync('tar', [...stable, '-C', work, '-I', `gzip -n -${level}`, '-cf', tarball, name]);
    return tarball;
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** What a package has besides its programs: the install script and all that it goes by. */
export function placeInstaller(of: keyof typeof PACKAGES, version: string, folder: string): void {
  mkdirSync(join(folder, 'systemd'));
  for (const file of PACKAGES[of].systemd) place(join(SYSTEMD, file), join(folder, 'systemd', file), 0o644);
  place(join(SYSTEMD, 'install.sh'), join(folder, 'install.sh'), 0o755);
  writeFileSync(join(folder, 'VERSION'), `${version}\n`);
}

/**
 * The programs of a package as it has them, bundled, without anything else.
 *
 * @returns the path of the `tailrace` command
 */
export async function bundlePrograms(of: keyof typeof PACKAGES, outdir: string): Promise<string> {
  await bundle(PACKAGES[of], outdir);
  return join(outdir, 'tailrace.js');
}

async function bundle({ programs, absent, quick }: Contents, outdir: string): Promise<void> {
  await bundleInto(outdir, programs, (path) => absent.test(path));
  mkdirSync(join(outdir, 'console-page'));
  for (const [name, body] of await buildPage()) writeFileSync(join(outdir, 'console-page', name), body);
  if (quick === undefined) return;
  // One command's modules fall into few files; all commands share so many that finding them takes a while.
  const others = (path: string): boolean => basename(path) !== `${quick}.ts`;
  await bundleInto(join(outdir, quick), { tailrace: CLI }, others);
}

/** @param absent whether the command of this file is left out */
async function bundleInto(
  outdir: string,
  programs: Contents['programs'],
  absent: (path: string) => boolean,
): Promise<void> {
  await build({
    entryPoints: { ...programs },
    outdir,
    bundle: true,
    // Each command stays a file of its own, read when it is asked for.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // The ES modules of packages: what of them is not used is left out.
    mainFields: ['module', 'main'],
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: 'external',
    // Packages in the older module format ask for Node's own modules by require.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);",
    },
    // fluent-logger's for a logger that is not ours; asked for by those who use it. DuckDB is native code, and
    // optional. The console's page is made by bundle().
    external: ['winston-transport', '@duckdb/node-api', 'esbuild'],
    plugins: [absentCommands(absent), quickBuiltins],
    logLevel: 'warning',
  });
  writeFileSync(join(outdir, 'package.json'), '{"type":"module"}\n');
}

function absentCommands(absent: (path: string) => boolean): Plugin {
  return {
    name: 'absent',
    setup({ onLoad }) {
      onLoad({ filter: /\/cli\/commands\/[a-z-]+\.ts$/ }, ({ path }) => {
        if (!absent(path)) return null;
        return {
          contents: `import { TailraceError } from '../../base/errors.ts';
export function command() {
  throw new TailraceError('CONFIG', 'this command is not part of the server package: run it from the repository');
}`,
          loader: 'ts',
          resolveDir: join(ROOT, 'cli', 'commands'),
        };
      });
    },
  };
}

/** This machine's own Node where it is the pinned one; any other from the npm registry, checked. */
function placeNode(arch: Arch, target: string, work: string): void {
  if (arch === hostArch() && process.version === `v${NODE_VERSION}`) {
    place(process.execPath, target, 0o755);
    return;
  }
  const spec = `node-linux-${arch}@${NODE_VERSION}`;
  const listed = execFileSync('npm', ['pack', spec, '--json', '--pack-destination', work], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [{ filename }] = JSON.parse(listed) as [{ filename: string }];
  const tarball = join(work, filename);
  const integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
  if (integrity !== NODE_INTEGRITY[arch]) {
    throw new TailraceError(
      'PACKAGE',
      `${spec} is not the one that is pinned (${integrity}): nothing was built`,
    );
  }
  const unpacked = join(work, `node-${arch}`);
  mkdirSync(unpacked);
  execFileSync('tar', ['-C', unpacked, '-xzf', tarball]);
  place(join(unpacked, 'package', 'bin', 'node'), target, 0o755);
  rmSync(unpacked, { recursive: true });
  rmSync(tarball);
}

/** KCL's, each checked against its SHA-256. */
async function placeJars(folder: string): Promise<void> {
  const { classPath } = await ensureJars();
  mkdirSync(folder);
  for (const jar of classPath.split(delimiter)) place(jar, join(folder, basename(jar)), 0o644);
}

function place(from: string, to: string, mode: number): void {
  copyFileSync(from, to);
  chmodSync(to, mode);
}

function isArch(name: string): name is Arch {
  return Object.hasOwn(NODE_INTEGRITY, name);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      consumer: { type: 'boolean', default: false },
      arch: { type: 'string', default: hostArch() },
      out: { type: 'string', default: join(ROOT, 'dist') },
    },
  });
  const archs = values.arch.split(',').filter(isArch);
  if (archs.length !== values.arch.split(',').length) {
    process.stderr.write(`--arch: expected x64, arm64 or both with a comma, not ${values.arch}\n`);
    process.exit(2);
  }
  const of = values.consumer ? 'consumer' : 'agent';
  process.stdout.write(`${await buildPackage({ of, archs, out: values.out })}\n`);
}
