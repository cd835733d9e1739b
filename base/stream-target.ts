/** A stream by its name, or by its ARN, which reaches a stream of another account, too. */

/** Without a version or a consumer behind it. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonkinesisdatastreams.html */
export const STREAM_ARN = /^arn:[\w-]+:kinesis:([\w-]+):\d{12}:stream\/([\w.-]+)$/;

export type StreamTarget = { readonly StreamARN: string } | { readonly StreamName: string };

/** How a request names a stream. */
export function streamTarget(stream: string): StreamTarget {
  return stream.startsWith('arn:') ? { StreamARN: stream } : { StreamName: stream };
}

/** How a request by an iterator does: the iterator alone reaches no other account. */
export function streamOfIterator(stream: string): { readonly StreamARN?: string } {
  return stream.startsWith('arn:') ? { StreamARN: stream } : {};
}

/** The stream's name, of whichever it is. */
export function streamName(stream: string): string {
  return STREAM_ARN.exec(stream)?.[2] ?? stream;
}

/** The region that an ARN names; undefined for a name. */
export function streamRegion(stream: string): string | undefined {
  return STREAM_ARN.exec(stream)?.[1];
}

/** Whether an ARN is of the stream that name and region say; true where there is none. */
export function isSameStream(stream: {
  readonly name: string;
  readonly region: string;
  readonly arn?: string | undefined;
}): boolean {
  const { name, region, arn } = stream;
  return arn === undefined || (streamName(arn) === name && streamRegion(arn) === region);
}
