/** What to do where the AWS SDK finds no credentials, which it says without a remedy. */
export const NO_CREDENTIALS =
  'no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives them';
