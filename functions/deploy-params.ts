/** Which params and stages of a deployment cannot work: what is refused before anything is packaged, built or looked up. */
import { parse } from 'yaml';
import { closest } from '../base/closest.ts';

/** Of params that choose parts of the template: another value would be an error of a file that is not there. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  archiver: ['worker', 'function'],
  compact: ['none', 'hourly'],
};
/** What serverless.attach.yml has where a deployment has to name a group. */
const NO_GROUP = 'my-group';
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const LONGEST_BUCKET = 63;
const ACCOUNT_DIGITS = 12;

/**
 * @param params `name=value`, as `--param` takes them
 * @param config text of the configuration whose params they set
 * @returns what is wrong and what to give instead, or null
 */
export function paramsProblem(params: readonly string[], config: string): string | null {
  const { params: sections } = parse(config) as { params: Record<string, Record<string, unknown>> };
  const known = [...new Set(Object.values(sections).flatMap((section) => Object.keys(section)))];
  for (const param of params) {
    const end = param.indexOf('=');
    if (end <= 0) return `--param='${param}': expected name=value`;
    const name = param.slice(0, end);
    if (!known.includes(name)) {
      const meant = closest(name, known);
      return `--param='${param}': there is no such param${meant === null ? '; all of them are at the head of the configuration' : `; did you mean ${meant}?`}`;
    }
    const choices = CHOICES[name];
    if (choices && !choices.includes(param.slice(end + 1)))
      return `--param='${param}': expected ${choices.join(' or ')}`;
  }
  const groups = Object.values(sections).flatMap(({ group1 = [] }) => group1);
  const isGiven = params.some((param) => param.startsWith('group1='));
  if (!isGiven && groups.length > 0 && groups.every((group) => group === NO_GROUP))
    return "no group is named: give --param='group1=…', the name of an Auto Scaling group";
  return null;
}

/** @returns what is wrong with a stage that buckets and functions are named by, or null */
export function stageProblem(stage: string, region: string): string | null {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stage))
    return `--stage ${stage}: buckets are named by it, so it takes lower-case letters, digits and single hyphens between them`;
  const most = LONGEST_BUCKET - ['tailrace', '', 'archive', '', region].join('-').length - ACCOUNT_DIGITS;
  if (stage.length > most)
    return `--stage ${stage}: at most ${most} characters in ${region}, because a bucket's name has at most ${LONGEST_BUCKET}`;
  return null;
}
