/** What the tidy check allows in this tree: its layers, its entry files, and the exceptions that are left. */
import type { Layers } from './rules.ts';

const PROGRAMS = ['base', 'chunk', 'archive', 'producer', 'consumer', 'functions'];

export const LAYERS: Layers = {
  base: [],
  chunk: ['base'],
  archive: ['base', 'chunk'],
  producer: ['base', 'chunk', 'archive'],
  consumer: ['base', 'chunk', 'archive'],
  functions: ['base', 'chunk', 'archive'],
  // A package holds the programs: what it takes from them is files and their names, no logic.
  infra: ['base', 'consumer/kcl/jars.ts', 'functions/package.ts', 'cli/console/build-page.ts'],
  local: PROGRAMS,
  cli: [...PROGRAMS, 'local'],
  bench: [...PROGRAMS, 'infra', 'local', 'cli', 'test'],
  test: [...PROGRAMS, 'infra', 'local', 'cli', 'bench'],
};

/** Files whose exports are loaded by path: a Lambda's handler, a benchmark's run. */
export const ENTRIES = ['functions/*.ts', 'bench/*.ts'];

/** Functions that are still too long. The list only shrinks. */
export const LONG_FUNCTIONS = [
  'consumer/shard/processor.ts kclProcessor',
  'producer/forward/json-writer.ts value',
];

/** Folders whose wording is still to be cleaned: none, and none is to be added. */
export const WORDING_OFF: readonly string[] = [];

/** Documents and scripts whose whole text is prose. */
export const DOCUMENTS = [
  '*.{md,yml}',
  '.github/**/*.{md,yml}',
  'docs/**/*.md',
  'findings/*.sh',
  '{base,chunk,archive,producer,consumer,functions,infra,local,test,bench}/**/*.{md,yml,yaml,sh,mjs,service,logrotate,properties}',
];
