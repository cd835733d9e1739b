/** `tailrace schema`: prints the JSON Schema of a configuration, for editors and for checks before a rollout. */
import { Argument, Command } from 'commander';
import { jsonSchema } from '../config-json-schema.ts';

export function command(): Command {
  return new Command('schema')
    .description('Print the JSON Schema (draft 2020-12) of agent.yaml or consumer.yaml.')
    .addArgument(new Argument('<kind>', 'which configuration').choices(['agent', 'consumer']))
    .addHelpText(
      'after',
      '\nFor editors with the YAML language server, save it and name it in the first line of the file:\n  # yaml-language-server: $schema=agent.schema.json\nExit codes: 0 printed, 2 bad usage.',
    )
    .action(async (kind: 'agent' | 'consumer') => {
      process.stdout.write(`${JSON.stringify(await jsonSchema(kind), null, 2)}\n`);
    });
}
