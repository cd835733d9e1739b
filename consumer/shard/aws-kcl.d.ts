declare module 'aws-kcl' {
  import type { Readable, Writable } from 'node:stream';

  function kcl(processor: object, input: Readable, output: Writable, errors: Writable): { run(): void };
  export = kcl;
}
