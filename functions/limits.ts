/** Which settings of a stack cannot work, alone or together, by its template: CloudFormation would say the first and not the second. */

/** A parameter of a template. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html */
export interface TemplateParameter {
  readonly Type: string;
  readonly Default: string | number;
  readonly AllowedValues?: readonly string[];
  readonly AllowedPattern?: string;
  readonly MinValue?: number;
  readonly MaxValue?: number;
  readonly MinLength?: number;
}

/** As the template's parameters have them. */
export interface DrainTimes {
  readonly heartbeatSeconds: number;
  readonly flushSeconds: number;
  readonly deliverySeconds: number;
  readonly budgetSeconds: number;
  readonly maxSends: number;
}

/** The watch runs every minute and may miss two of its passes before a wait must not have ended. */
export const LEAST_HEARTBEAT_SECONDS = 180;
/** Auto Scaling waits for two days at most. https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html */
const LONGEST_WAIT_SECONDS = 172_800;
/** And for this many heartbeat timeouts. */
const HEARTBEATS_PER_WAIT = 100;

/** @returns what is wrong and what to set instead, or null */
export function settingsProblem(times: DrainTimes): string | null {
  const { heartbeatSeconds, flushSeconds, deliverySeconds, budgetSeconds, maxSends } = times;
  if (heartbeatSeconds < LEAST_HEARTBEAT_SECONDS || heartbeatSeconds > 7200) {
    return `heartbeatSeconds=${heartbeatSeconds}: set ${LEAST_HEARTBEAT_SECONDS} to 7200; the watch runs every minute and may miss two passes`;
  }
  if (deliverySeconds < 30 || deliverySeconds > LONGEST_WAIT_SECONDS) {
    return `deliverySeconds=${deliverySeconds}: set 30 to ${LONGEST_WAIT_SECONDS}`;
  }
  const wait = Math.min(LONGEST_WAIT_SECONDS, HEARTBEATS_PER_WAIT * heartbeatSeconds);
  if (budgetSeconds >= wait) {
    return `budgetSeconds=${budgetSeconds}: Auto Scaling ends the wait after ${wait} s (48 h, or 100 × heartbeatSeconds); set less, or raise heartbeatSeconds`;
  }
  const tries = maxSends * (deliverySeconds + flushSeconds);
  if (tries >= budgetSeconds) {
    return `budgetSeconds=${budgetSeconds}: maxSends × (deliverySeconds + flushSeconds) is ${tries} s; set more than that, or allow fewer or shorter flushes`;
  }
  return null;
}

/** @returns which parameter's default its own limits refuse, or which ones need each other, or null */
export function parametersProblem(parameters: Readonly<Record<string, TemplateParameter>>): string | null {
  for (const [name, parameter] of Object.entries(parameters)) {
    const expected = expectedOf(parameter);
    if (expected !== null) return `${paramOf(name)}=${parameter.Default}: expected ${expected}`;
  }
  const value = (name: string): string => String(parameters[name]?.Default ?? '');
  if ((value('VpcId') === '') !== (value('SubnetIds') === ''))
    return `${value('VpcId') === '' ? 'subnetIds without vpcId' : 'vpcId without subnetIds'}: an existing network needs both`;
  for (const [least, most] of [
    ['MinShards', 'MaxShards'],
    ['WebMin', 'WebMax'],
  ] as const)
    if (Number(value(least)) > Number(value(most)))
      return `${paramOf(least)}=${value(least)} is more than ${paramOf(most)}=${value(most)}`;
  return null;
}

/** What a parameter's limits expect where they refuse its default, or null. */
function expectedOf(parameter: TemplateParameter): string | null {
  const { Type, Default, AllowedValues, AllowedPattern, MinValue, MaxValue, MinLength = 0 } = parameter;
  const text = String(Default);
  if (AllowedValues && !AllowedValues.includes(text)) return AllowedValues.join(' or ');
  if (AllowedPattern !== undefined && !new RegExp(`^(?:${AllowedPattern})$`).test(text))
    return `a value that matches ${AllowedPattern}`;
  if (text.length < MinLength) return 'a value';
  if (Type !== 'Number') return null;
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (number >= (MinValue ?? -Infinity) && number <= (MaxValue ?? Infinity)) return null;
  if (MinValue === undefined) return 'a number';
  return MaxValue === undefined ? `a number of at least ${MinValue}` : `${MinValue} to ${MaxValue}`;
}

const NAMED_OTHERWISE: Readonly<Record<string, string>> = {
  AgentVersion: 'version',
  HasDashboard: 'dashboard',
  ImageId: 'imageParameter',
};

/** @returns the param that sets a parameter: mostly of the same name, with a small first letter */
export function paramOf(parameter: string): string {
  return NAMED_OTHERWISE[parameter] ?? parameter[0]!.toLowerCase() + parameter.slice(1);
}
