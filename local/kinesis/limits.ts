/** What Kinesis refuses of a PutRecords request and kinesis-local does not; no I/O. */

/** https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html */
const MOST_RECORDS = 500;
const MOST_BYTES = 10 * 1024 * 1024;

export interface Rejection {
  readonly __type: string;
  readonly message: string;
}

interface PutRecords {
  readonly Records?: readonly { readonly Data?: string; readonly PartitionKey?: string }[];
}

/** @returns the body of an answer with status 400, or null */
export function rejectionOf(body: Buffer): Rejection | null {
  let records: PutRecords['Records'];
  try {
    records = (JSON.parse(body.toString('utf8')) as PutRecords).Records;
  } catch {
    return null;
  }
  if (!Array.isArray(records)) return null;
  if (records.length > MOST_RECORDS) {
    return {
      __type: 'ValidationException',
      message: `1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to ${MOST_RECORDS}`,
    };
  }
  const bytes = records.reduce(
    (sum, { Data = '', PartitionKey = '' }) => sum + decodedLength(Data) + Buffer.byteLength(PartitionKey),
    0,
  );
  if (bytes <= MOST_BYTES) return null;
  return {
    __type: 'InvalidArgumentException',
    message: `Records size exceeds ${MOST_BYTES / 1024 / 1024} MB limit`,
  };
}

/** Bytes that base64 of this length stands for. */
function decodedLength(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  return (base64.length / 4) * 3 - padding;
}
