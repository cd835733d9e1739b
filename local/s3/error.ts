/** S3 error responses: a status, a code that clients branch on, a message for people. */

export class S3Error extends Error {
  readonly status: number;
  /** S3's own, which clients branch on. */
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
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
