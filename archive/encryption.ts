/** S3's own encryption, as a write asks for it (x-amz-server-side-encryption). */
export const ENCRYPTIONS = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const;
export type Encryption = (typeof ENCRYPTIONS)[number];
