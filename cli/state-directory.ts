/** Finds the state directory that a command is about. */
import { agentConfig } from '../producer/config.ts';
import { ConfigError, configKind, loadConfig } from './config.ts';
import { STATE_DIR } from './options.ts';

/**
 * The state directory that `--state` names, or the `state_dir` of `--config`, or the default.
 *
 * @throws ConfigError when `--config` is not an agent's
 */
export function stateDirectory({ state, config }: { state?: string; config?: string }): string {
  if (state !== undefined) return state;
  if (config === undefined) return STATE_DIR;
  if (configKind(config) === 'consumer')
    throw new ConfigError(
      `${config}: this is a consumer's configuration, and a consumer has no state directory`,
    );
  return loadConfig(config, agentConfig).state_dir;
}
