/** `tailrace test`: unit tests for a configuration. */
import { Command } from 'commander';
import { count, plain } from '../../base/human.ts';
import { agentConfig } from '../../producer/config.ts';
import { loadConfig } from '../config.ts';
import { runTest, testFile } from '../config-test.ts';
import { configOption } from '../options.ts';

const EXAMPLE = `
A file of tests:
  tests:
    - name: a search
      input: nginx.access          # id, tag or path; not needed for a single tail input
      lines: |
        203.0.113.7 - - [23/Nov/2026:07:05:09 +0000] "GET /search?q=tea HTTP/1.1" 200 512 "-" "curl/8.14"
      events:                      # one per event; fields left out are not compared unless exact: true
        - { method: GET, code: 200 }
Exit codes: 0 all pass, 1 a test fails, 2 bad usage or configuration.`;

export function command(): Command {
  return new Command('test')
    .description(
      'Run recorded lines through the inputs of agent.yaml and compare the events with expected ones.',
    )
    .argument('<files...>', 'files of tests, YAML')
    .addOption(configOption('agent.yaml').makeOptionMandatory())
    .addHelpText('after', EXAMPLE)
    .action(run);
}

function run(files: readonly string[], { config }: { config: string }): void {
  const inputs = loadConfig(config, agentConfig).inputs.filter((input) => input.type === 'tail');
  const tests = files.flatMap((file) =>
    loadConfig(file, testFile).tests.map((test, i) => ({ test, name: test.name ?? `${file} ${i + 1}` })),
  );
  let failed = 0;
  for (const { test, name } of tests) {
    const differences = runTest(test, inputs);
    if (differences.length > 0) failed++;
    process.stdout.write(`${differences.length === 0 ? 'ok' : 'FAILED'}  ${plain(name)}\n`);
    for (const difference of differences) process.stdout.write(`        ${plain(difference)}\n`);
  }
  process.stdout.write(`${count(tests.length - failed)} passed, ${count(failed)} failed\n`);
  if (failed > 0) process.exitCode = 1;
}
