/** The tables of docs/compatibility.md, from what the implementations answered. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from '../../local/stack.ts';
import { betweenMarkers } from '../support/between-markers.ts';
import type { Implementation } from './implementations.ts';
import type { PipelineResult, Result } from './round.ts';
import { S3_PROBES } from './s3-probes.ts';
import { KINESIS_PROBES } from './stream-probes.ts';
import { DYNAMODB_PROBES } from './table-probes.ts';

export const COMPATIBILITY_FILE = join(import.meta.dirname, '../../docs/compatibility.md');
const PLACE = '`npm run compat`: tables';

interface Row {
  readonly about: string;
  readonly amazon: string;
}

const TABLES: readonly (readonly [Service, string, readonly Row[]])[] = [
  ['s3', 'S3', S3_PROBES],
  ['kinesis', 'Kinesis', KINESIS_PROBES],
  ['dynamodb', 'DynamoDB', DYNAMODB_PROBES],
];

/** @param results of any of the implementations; those without one are left out */
export function compatibilityTables(
  implementations: readonly Implementation[],
  results: readonly Result[],
): string {
  const tried = implementations.flatMap((implementation) => {
    const result = results.find(
      ({ name, version }) => name === implementation.name && version === implementation.version,
    );
    return result === undefined ? [] : [{ ...implementation, result }];
  });
  const tables = TABLES.map(([service, heading, rows]) => {
    const columns = tried.filter(({ result }) => result.answers[service] !== undefined);
    const names = columns.map(({ name }) => name);
    const lines = rows.map(({ about, amazon }, i) => {
      const cells = columns.map(({ result }) => cell(result.answers[service]![i] ?? '', amazon));
      return line([about, amazon, ...cells]);
    });
    return `### ${heading}\n\n${headingOf(['', 'AWS', ...names])}${lines.join('')}`;
  });
  const pipelines = tried.map(({ name, version, from, services, result }) =>
    line([name, version, from, services.map(label).join(', '), pipelineCell(result.pipeline)]),
  );
  const head = headingOf(['', 'version', 'from', 'replaces', 'the pipeline on it']);
  return `${head}${pipelines.join('')}\n${tables.join('\n')}`;
}

function headingOf(cells: readonly string[]): string {
  return line(cells) + line(cells.map(() => '---')).replaceAll(' ', '');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}

function label(service: Service): string {
  return TABLES.find(([name]) => name === service)![1];
}

/** What differs from AWS stands out. */
function cell(answer: string, amazon: string): string {
  return answer === amazon ? 'as AWS' : `**${answer}**`;
}

function pipelineCell(pipeline: Result['pipeline']): string {
  if (pipeline === null) return 'not run';
  if (typeof pipeline === 'string') return `**failed**: ${pipeline.split('\n')[0]!.replaceAll('|', '/')}`;
  const { events, missing, repeated, kills, verify } = pipeline;
  const counts = `${events.toLocaleString('en-US')} events, ${missing} lost, ${repeated} repeated`;
  return `${counts}, verify ${verify}; killed: ${kills.join(', ')}`;
}

/** Whether nothing was lost or repeated, and verify says so. */
export function isWhole({ missing, repeated, verify }: PipelineResult): boolean {
  return missing === 0 && repeated === 0 && verify === 0;
}

export function writeTables(text: string): void {
  writeFileSync(COMPATIBILITY_FILE, betweenMarkers(readFileSync(COMPATIBILITY_FILE, 'utf8'), PLACE, text));
}
