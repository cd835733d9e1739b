/** What `tailrace import` makes of another agent's configuration, checked as an agent would. */
import { checkConfig } from '../../cli/config.ts';
import { carryOver, type Imported } from '../../cli/import/carry-over.ts';
import type { Section } from '../../cli/import/section.ts';
import { agentConfig } from '../../producer/config.ts';

export function imported(sections: readonly Section[]): Imported {
  const result = carryOver(sections);
  const stream = { name: 'weblogs', region: 'us-east-1', ...result.config.stream };
  // An agent puts the environment in before it checks.
  const inputs = JSON.parse(
    JSON.stringify(result.config.inputs).replaceAll(/\$\{env:[^}]*\}/g, 'x'),
  ) as unknown;
  checkConfig('agent.yaml', { state_dir: '/a', stream, inputs }, agentConfig);
  return result;
}

export const texts = (notes: readonly { line: number; text: string }[]): string[] =>
  notes.map(({ line, text }) => `${line}: ${text}`);
