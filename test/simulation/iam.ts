/** IAM as the template's roles say it: every call is judged, denied calls and grants in use are remembered. */
import type { Template } from './template.ts';

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | string[];
  readonly Resource: string | string[];
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}

export interface Call {
  readonly action: string;
  readonly resource: string;
  /** Condition keys that the service fills in. */
  readonly context?: Readonly<Record<string, string>>;
}

const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}

export class Iam {
  readonly denied: string[] = [];
  readonly #statements = new Map<string, Statement[]>();
  readonly #used = new Set<string>();

  constructor(template: Template) {
    for (const { id, properties } of template.all('AWS::IAM::Role')) {
      const policies = (properties['Policies'] ?? []) as { PolicyDocument: { Statement: Statement[] } }[];
      this.#statements.set(
        id,
        policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement),
      );
    }
  }

  /** @param role logical id */
  allows(role: string, { action, resource, context = {} }: Call): boolean {
    let allowed = false;
    for (const [i, statement] of (this.#statements.get(role) ?? []).entries()) {
      const granted = list(statement.Action).find((pattern) =>
        matches(pattern.toLowerCase(), action.toLowerCase()),
      );
      if (granted === undefined || !list(statement.Resource).some((pattern) => matches(pattern, resource)))
        continue;
      if (!conditionHolds(statement.Condition ?? {}, context)) continue;
      if (statement.Effect === 'Deny') {
        allowed = false;
        break;
      }
      allowed = true;
      this.#used.add(`${role} ${i} ${granted}`);
    }
    if (!allowed) this.denied.push(`${role}: ${action} on ${resource} ${JSON.stringify(context)}`);
    return allowed;
  }

  /** Actions that statements of these roles grant and no call has needed. */
  unused(roles: readonly string[]): string[] {
    return roles.flatMap((role) =>
      (this.#statements.get(role) ?? []).flatMap(({ Action, Resource }, i) =>
        list(Action)
          .filter((action) => !this.#used.has(`${role} ${i} ${action}`))
          .map((action) => `${role}: ${action} on ${list(Resource).join(', ')}`),
      ),
    );
  }

  adopt(other: Iam): void {
    for (const use of other.#used) this.#used.add(use);
    this.denied.push(...other.denied);
  }
}

function conditionHolds(
  condition: Record<string, Record<string, string | string[]>>,
  context: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(condition).every(([operator, keys]) =>
    Object.entries(keys).every(([key, values]) => {
      const actual = context[key];
      if (actual === undefined) return false;
      if (operator === 'StringEquals') return list(values).includes(actual);
      if (operator === 'StringLike') return list(values).some((pattern) => matches(pattern, actual));
      throw new Error(`the simulation does not know ${operator}`);
    }),
  );
}
