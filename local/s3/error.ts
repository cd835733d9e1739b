/** S3 error responses: a status, a code that clients branch on, a message for people. */
import { TailraceError } from '../../base/errors.ts';

export class S3Error extends TailraceError {
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(code, message, { retriable: status >= 500 && status !== 501 });
    this.status = status;
  }
}

export const noSuchBucket = (): S3Error =>
  new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist');
export const noSuchKey = (): S3Error => new S3Error(404, 'NoSuchKey', 'The specified key does not exist.');
export const preconditionFailed = (): S3Error =>
  new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
export const invalidArgument = (message: string): S3Error => new S3Error(400, 'InvalidArgument', message);
export const notImplemented = (what: string): S3Error =>
  new S3Error(501, 'NotImplemented', `${what} is not part of this embedded S3`);
