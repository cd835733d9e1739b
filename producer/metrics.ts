/** What each counter of the agent counts: the help texts of /metrics, and the table of docs/agent.md. */

export const HELP: Readonly<Record<string, string>> = {
  tailrace_agent_absurd_times_total:
    'Events whose time was too far from now; kept under the hour of their arrival.',
  tailrace_agent_acknowledged_bytes_total: 'Bytes of chunks that the stream acknowledged, by shard.',
  tailrace_agent_acknowledged_chunks_total: 'Chunks that the stream acknowledged, by shard.',
  tailrace_agent_acknowledged_events_total: 'Events that the stream acknowledged, by shard.',
  tailrace_agent_acknowledged_records_total: 'Records that the stream acknowledged, by shard.',
  tailrace_agent_disk_full_total: 'Times that the disk of the spool was found full.',
  tailrace_agent_failed_requests_total:
    'PutRecords requests that failed as a whole, by reason; they go again.',
  tailrace_agent_put_requests_total: 'PutRecords requests that were made.',
  tailrace_agent_quarantined_events_total:
    'Events of chunks that were found damaged in the spool and put aside.',
  tailrace_agent_recovered_events_total: 'Events that an earlier run left in the spool.',
  tailrace_agent_retried_records_total: 'Records that the stream refused, by reason; they go again.',
  tailrace_agent_sealed_bytes_total: 'Bytes of chunks that became durable in the spool.',
  tailrace_agent_sealed_chunks_total: 'Chunks that became durable in the spool.',
  tailrace_agent_sealed_events_total: 'Events that became durable in the spool.',
  tailrace_agent_sealed_raw_bytes_total: 'Bytes of NDJSON in those chunks, before compression.',
  tailrace_agent_sent_bytes_total:
    'Bytes of chunks that went out in requests, those that went again counted again.',
  tailrace_agent_sent_records_total:
    'Records that went out in requests, those that went again counted again.',
  tailrace_agent_spool_damaged_total: 'Damaged places in the spool that were put aside.',
  tailrace_agent_spool_lost_chunks_total: 'Chunks that a damaged place in the spool took away.',
  tailrace_agent_spool_lost_states_total:
    'Cuts whose state was damaged: some lines may have been read again.',
  tailrace_agent_spool_torn_total: 'Torn ends of the spool that were cut off at the start.',
  tailrace_agent_tag_overflows_total: 'Times that a new tag was one too many and its events went to _other.',
  tailrace_agent_throttled_answers_total: 'Answers in which a shard took no more of a lane.',

  tailrace_agent_forward_acks_total: 'Acks given to clients.',
  tailrace_agent_forward_bytes_total: 'Bytes of entries taken from clients.',
  tailrace_agent_forward_dropped_events_total:
    'Events left out, by reason: excluded or dropped by configuration, or too long.',
  tailrace_agent_forward_events_total: 'Events taken from clients.',
  tailrace_agent_forward_incomplete_events_total: 'Split lines that went without their missing parts.',
  tailrace_agent_forward_invalid_utf8_total: 'Events in which bytes that are no UTF-8 were replaced.',
  tailrace_agent_forward_joined_parts_events_total: 'Parts of split lines that were joined into one event.',
  tailrace_agent_forward_messages_total: 'Messages received.',
  tailrace_agent_forward_refused_total: 'Connections and messages that were refused, by reason.',
  tailrace_agent_forward_repeated_messages_total:
    'Messages that came again and were acknowledged without being taken twice.',
  tailrace_agent_forward_repeated_parts_total: 'Parts of split lines that came again.',
  tailrace_agent_forward_timeless_events_total:
    'Events without a time that can be read; they got that of their arrival.',
  tailrace_agent_forward_torn_messages_total: 'Connections that ended inside a message.',
  tailrace_agent_forward_truncated_events_total: 'Events that were cut at the longest line.',
  tailrace_agent_forward_unparsed_events_total: 'Events kept as text, because they are no maps.',
  tailrace_agent_forward_unread_acks_total: 'Acks given up because their client reads none.',

  tailrace_agent_forward_redacted_values_total: 'Values that a redaction changed.',
  tailrace_agent_tail_redacted_values_total: 'Values that a redaction changed.',
  tailrace_agent_tail_bytes_total: 'Bytes read from files.',
  tailrace_agent_tail_damaged_files_total: 'Compressed logs that could not be read to their end.',
  tailrace_agent_tail_events_total: 'Events read from files.',
  tailrace_agent_tail_excluded_total: 'Lines left out because the configuration says so.',
  tailrace_agent_tail_gone_files_total: 'Files that went away before they were read to their end.',
  tailrace_agent_tail_invalid_utf8_total: 'Lines in which bytes that are no UTF-8 were replaced.',
  tailrace_agent_tail_lost_bytes_total:
    'Bytes that were in files which went or were truncated before they were read.',
  tailrace_agent_tail_parsed_total: 'Events whose lines matched their format.',
  tailrace_agent_tail_read_errors_total: 'Reads of files that failed.',
  tailrace_agent_tail_refused_files_total: 'Files that may not be read.',
  tailrace_agent_tail_rotations_total: 'Rotations that were followed.',
  tailrace_agent_tail_timeless_total:
    'Lines without a time that can be read; they got that of their reading.',
  tailrace_agent_tail_truncated_lines_total: 'Lines that were cut at max_line_size.',
  tailrace_agent_tail_truncations_total: 'Files that were truncated in place.',
  tailrace_agent_tail_unparsed_total: 'Lines that did not match their format, kept whole.',
};

/** Counters without labels that stand in /metrics from the start, so that their first rise is seen as one. */
export const FROM_THE_START: readonly string[] = [
  'tailrace_agent_disk_full_total',
  'tailrace_agent_put_requests_total',
  'tailrace_agent_quarantined_events_total',
  'tailrace_agent_recovered_events_total',
  'tailrace_agent_sealed_bytes_total',
  'tailrace_agent_sealed_chunks_total',
  'tailrace_agent_sealed_events_total',
  'tailrace_agent_sent_bytes_total',
  'tailrace_agent_sent_records_total',
  'tailrace_agent_spool_damaged_total',
  'tailrace_agent_spool_lost_chunks_total',
  'tailrace_agent_spool_lost_states_total',
  'tailrace_agent_tag_overflows_total',
  'tailrace_agent_throttled_answers_total',
];

/** The help text of a counter; one that has none is described by its name. */
export function helpOf(name: string): string {
  return HELP[name] ?? name.replace(/^tailrace_agent_/, '').replaceAll('_', ' ');
}
