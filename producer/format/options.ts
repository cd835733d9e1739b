/** The `format` of an input in a configuration: a name, or an object with a `type` and its options. */
import * as z from 'zod/mini';
import { parseApacheFormat, parseLighttpdFormat } from './apache-format.ts';
import { isContainerFormat } from './container.ts';
import { FormatError } from './errors.ts';
import { grok } from './grok.ts';
import { parseNginxFormat } from './nginx-format.ts';
import { compileExpression } from './patterns.ts';
import { compileTimeFormat } from './time-format.ts';
import { timeZone } from './time-zone.ts';
import { parseTomcatFormat } from './tomcat-format.ts';

const name = z.string().check(z.minLength(1));

/** What a compiler says against a value is shown. */
function checked<T>(compile: (value: T) => unknown) {
  return z.superRefine<T>((value, context) => {
    try {
      compile(value);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      context.addIssue({ code: 'custom', message: error.message, input: value });
    }
  });
}

function compiled(compile: (text: string) => unknown) {
  return z.string().check(checked(compile));
}

function notContainer({ type }: FormatOptions): void {
  if (!isContainerFormat(type)) return;
  throw new FormatError(`${type} holds other formats and is not held by one`);
}

/** What every format takes besides its own options. */
const common = {
  time_key: z.optional(name),
  time_format: z.optional(compiled((text) => compileTimeFormat(text, 'UTC'))),
  keep_time_key: z.optional(z.boolean()),
  timezone: z.optional(compiled(timeZone)),
  types: z.optional(z.record(name, z.enum(['string', 'integer', 'float', 'bool', 'time']))),
  /** The format of a field's text, whose fields become the event's. */
  inner: z.optional(z.lazy(() => formatOptions).check(checked(notContainer))),
  inner_field: z.optional(name),
};

function withLogFormat<T extends string>(type: T, parse: (text: string) => unknown) {
  return z.strictObject({ type: z.literal(type), log_format: z.optional(compiled(parse)), ...common });
}

function plain<T extends string>(type: T) {
  return z.strictObject({ type: z.literal(type), ...common });
}

function delimitedType<T extends string>(type: T) {
  return z.strictObject({
    type: z.literal(type),
    delimiter: z.optional(z.string().check(z.minLength(1), z.maxLength(8))),
    columns: z.optional(z.array(z.string()).check(z.minLength(1))),
    comment: z.optional(name),
    ...common,
  });
}

const format = z.discriminatedUnion(
  'type',
  [
    withLogFormat('nginx', parseNginxFormat),
    withLogFormat('apache2', parseApacheFormat),
    withLogFormat('varnish', parseApacheFormat),
    withLogFormat('lighttpd', parseLighttpdFormat),
    withLogFormat('tomcat', parseTomcatFormat),
    plain('nginx_error'),
    plain('apache_error'),
    plain('haproxy'),
    plain('envoy'),
    plain('traefik'),
    plain('squid'),
    plain('caddy'),
    plain('iis'),
    plain('w3c'),
    plain('cloudfront'),
    plain('alb'),
    plain('docker'),
    plain('cri'),
    plain('container'),
    plain('json'),
    plain('ltsv'),
    plain('logfmt'),
    delimitedType('csv'),
    delimitedType('tsv'),
    z.strictObject({
      type: z.literal('syslog'),
      rfc: z.optional(z.enum(['auto', '3164', '5424'])),
      ...common,
    }),
    z.strictObject({ type: z.literal('regexp'), expression: compiled(compileExpression), ...common }),
    z
      .strictObject({
        type: z.literal('grok'),
        pattern: z.union([name, z.array(name).check(z.minLength(1))]),
        patterns: z.optional(z.record(name, name)),
        ...common,
      })
      .check(checked(grok)),
    z.strictObject({ type: z.literal('none') }),
  ],
  {
    error:
      'expected one of nginx, apache2, tomcat, lighttpd, varnish, haproxy, envoy, traefik, caddy, squid, iis, w3c, cloudfront, alb, nginx_error, apache_error, docker, cri, container, json, ltsv, logfmt, csv, tsv, syslog, none, or an object with such a type (regexp needs one, with its expression, and grok, with its pattern)',
  },
);

/** A format's name alone stands for its defaults. */
export const formatOptions: z.ZodMiniType<FormatOptions> = z.pipe(
  z.transform((value: unknown) => (typeof value === 'string' ? { type: value } : value)),
  format,
) as unknown as z.ZodMiniType<FormatOptions>;

type Common = {
  readonly time_key?: string | undefined;
  readonly time_format?: string | undefined;
  readonly keep_time_key?: boolean | undefined;
  readonly timezone?: string | undefined;
  readonly types?: Readonly<Record<string, 'string' | 'integer' | 'float' | 'bool' | 'time'>> | undefined;
  readonly inner?: FormatOptions | undefined;
  readonly inner_field?: string | undefined;
};

type AccessType = 'nginx' | 'apache2' | 'varnish' | 'lighttpd' | 'tomcat';

export type AccessLogOptions = Common & {
  readonly type: AccessType;
  readonly log_format?: string | undefined;
};

export type FormatOptions =
  | AccessLogOptions
  | (Common & {
      readonly type:
        | 'nginx_error'
        | 'apache_error'
        | 'haproxy'
        | 'envoy'
        | 'traefik'
        | 'squid'
        | 'caddy'
        | 'iis'
        | 'w3c'
        | 'cloudfront'
        | 'alb'
        | 'docker'
        | 'cri'
        | 'container'
        | 'json'
        | 'ltsv'
        | 'logfmt';
    })
  | (Common & {
      readonly type: 'csv' | 'tsv';
      readonly delimiter?: string | undefined;
      readonly columns?: readonly string[] | undefined;
      readonly comment?: string | undefined;
    })
  | (Common & { readonly type: 'syslog'; readonly rfc?: 'auto' | '3164' | '5424' | undefined })
  | (Common & { readonly type: 'regexp'; readonly expression: string })
  | (Common & {
      readonly type: 'grok';
      readonly pattern: string | readonly string[];
      readonly patterns?: Readonly<Record<string, string>> | undefined;
    })
  | { readonly type: 'none' };
