/** What each of the agent's counters counts: the help texts of /metrics. */

export const HELP: Readonly<Record<string, string>> = {
  tailrace_agent_absurd_times_total:
    'Events whose time was too far from now; kept under their hour of arrival.',
  tailrace_agent_acknowledged_bytes_total: 'Bytes of chunks that the stream acknowledged, by shard.',
  tailrace_agent_acknowledged_chunks_total: 'Chunks that the stream acknowledged, by shard.',
  tailrace_agent_acknowledged_events_total: 'Events that the stream acknowledged, by shard.',
  tailrace_agent_acknowledged_records_total: 'Records that the stream acknowledged, by shard.',
  tailrace_agent_deflate_faults_total:
    'Chunks that did not decompress to their lines when read back: zlib compresses until the next start.',
  tailrace_agent_disk_full_total: 'Times the disk of the spool was found full.',
  tailrace_agent_failed_requests_total:
    'PutRecords requests that failed as a whole, by reason; they are retried.',
  tailrace_agent_inner_newlines_total: 'Events whose line breaks became spaces: an event is one line.',
  tailrace_agent_put_requests_total: 'PutRecords requests made.',
  tailrace_agent_quarantined_events_total:
    'Events of chunks found damaged in the spool and moved to quarantine.',
  tailrace_agent_recovered_events_total: 'Events that an earlier run left in the spool.',
  tailrace_agent_retried_records_total: 'Records that the stream rejected, by reason; they are retried.',
  tailrace_agent_sealed_bytes_total: 'Bytes of chunks that became durable in the spool.',
  tailrace_agent_sealed_chunks_total: 'Chunks that became durable in the spool.',
  tailrace_agent_sealed_events_total: 'Events that became durable in the spool.',
  tailrace_agent_sealed_raw_bytes_total: 'Bytes of NDJSON in those chunks, before compression.',
  tailrace_agent_sent_bytes_total: 'Bytes of chunks sent in requests, resent ones counted each time.',
  tailrace_agent_sent_records_total: 'Records sent in requests, resent ones counted each time.',
  tailrace_agent_spool_damaged_total: 'Damaged ranges of the spool moved to quarantine.',
  tailrace_agent_spool_lost_chunks_total: 'Chunks lost in damaged ranges of the spool.',
  tailrace_agent_spool_lost_states_total: 'Cuts whose state was damaged: some lines may have been reread.',
  tailrace_agent_spool_torn_total: 'Torn ends of the spool truncated at startup.',
  tailrace_agent_tag_overflows_total: 'Times a new tag exceeded max_tags and its events went to _other.',
  tailrace_agent_throttled_answers_total: 'Responses in which a shard throttled a lane.',

  tailrace_agent_forward_acks_total: 'Acks sent to clients.',
  tailrace_agent_forward_bytes_total: 'Bytes of entries received from clients.',
  tailrace_agent_forward_dropped_events_total:
    'Events dropped, by reason: excluded or dropped by the configuration, or too long.',
  tailrace_agent_forward_events_total: 'Events received from clients; a line joined from parts is one.',
  tailrace_agent_forward_incomplete_events_total: 'Split lines passed on without their missing parts.',
  tailrace_agent_forward_invalid_utf8_total: 'Events in which invalid UTF-8 was replaced.',
  tailrace_agent_forward_joined_parts_events_total: 'Events that were joined from the parts of a split line.',
  tailrace_agent_forward_adjusted_json_total:
    'Keys that came twice in a map and numbers that JSON does not have, changed so that every reader takes the line.',
  tailrace_agent_forward_messages_total: 'Messages received.',
  tailrace_agent_forward_refused_total: 'Connections and messages refused, by reason.',
  tailrace_agent_forward_repeated_messages_total:
    'Repeated messages, acknowledged without being accepted twice.',
  tailrace_agent_forward_repeated_parts_total: 'Parts of split lines received more than once.',
  tailrace_agent_forward_bad_events_total:
    'Entries that are not sound, by reason; kept and marked, as text unless only their time is wrong.',
  tailrace_agent_forward_timeless_events_total: 'Events without a valid time; given their time of arrival.',
  tailrace_agent_forward_torn_messages_total: 'Connections that ended inside a message.',
  tailrace_agent_forward_resets_total:
    'Connections that were reset by a client that asks for no acks: its last events may not have arrived.',
  tailrace_agent_forward_truncated_events_total: 'Events truncated at the maximum line size.',
  tailrace_agent_forward_unparsed_events_total: 'Events marked as unparsed: not maps, or not sound.',
  tailrace_agent_forward_unread_acks_total: 'Acks abandoned because the client does not read them.',

  tailrace_agent_forward_redacted_values_total: 'Values changed by redaction.',
  tailrace_agent_journald_events_total: 'Events read from the journal.',
  tailrace_agent_journald_unparsed_total:
    'Messages of the journal that did not match their format, kept as text.',
  tailrace_agent_journald_hashed_lines_total: 'Messages of the journal of which only a hash was kept.',
  tailrace_agent_journald_truncated_lines_total: 'Messages of the journal that were too long and were cut.',
  tailrace_agent_journald_excluded_total:
    'Entries of the journal left out because the configuration says so.',
  tailrace_agent_journald_dropped_lines_total:
    'Lines of journalctl that are not entries: they are not archived, and the log shows them.',
  tailrace_agent_journald_redacted_values_total: 'Values that a redaction changed.',
  tailrace_agent_tail_redacted_values_total: 'Values changed by redaction.',
  tailrace_agent_tail_cut_files_total:
    'Files of which a power loss had taken the end of what was read: reading goes on behind what is left.',
  tailrace_agent_tail_alike_files_total:
    'Files taken for a vanished log because they begin with all that was read of it.',
  tailrace_agent_tail_bytes_total: 'Bytes read from files.',
  tailrace_agent_tail_copies_total: 'Files passed over because another file holds all that they hold.',
  tailrace_agent_tail_damaged_files_total: 'Compressed logs that could not be read to the end.',
  tailrace_agent_tail_adjusted_json_total:
    'Names that came twice in an object and numbers that not every reader holds, changed so that each takes the line.',
  tailrace_agent_tail_events_total: 'Events read from files.',
  tailrace_agent_tail_excluded_total: 'Lines excluded by the configuration.',
  tailrace_agent_tail_gone_files_total: 'Files that disappeared before they were read to the end.',
  tailrace_agent_tail_header_lines_total: 'Lines that are not events: headers and comments of the format.',
  tailrace_agent_tail_hashed_lines_total:
    'Lines of which only a hash was kept, because a redaction could not find its field in them.',
  tailrace_agent_tail_history_files_total: 'Files passed over because they are older than the first look.',
  tailrace_agent_tail_invalid_utf8_total: 'Lines in which invalid UTF-8 was replaced.',
  tailrace_agent_tail_lost_bytes_total:
    'Bytes of files that disappeared or were truncated before they were read.',
  tailrace_agent_tail_open_limit_total: 'Times that no more files could be opened.',
  tailrace_agent_tail_parsed_total: 'Events whose lines matched their format.',
  tailrace_agent_tail_read_errors_total: 'Reads of files that failed.',
  tailrace_agent_tail_refused_files_total: 'Files that may not be read.',
  tailrace_agent_tail_repeated_files_total:
    'Files read from the start whose beginning may have been read before.',
  tailrace_agent_tail_rotations_total: 'Rotations followed.',
  tailrace_agent_tail_timeless_total: 'Lines without a valid time; given the time they were read.',
  tailrace_agent_tail_truncated_lines_total: 'Lines truncated at max_line_size.',
  tailrace_agent_tail_truncations_total: 'Files truncated in place.',
  tailrace_agent_tail_unparsed_total: 'Lines that did not match their format, kept whole.',
  tailrace_agent_tail_zero_bytes_total: 'Zeros between lines, as a power loss leaves them; passed over.',
};

/** Counters without labels that /metrics shows from the start, so that their first increase is visible. */
export const FROM_THE_START: readonly string[] = [
  'tailrace_agent_deflate_faults_total',
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

/** The help text of a counter; without one, its name. */
export function helpOf(name: string): string {
  return HELP[name] ?? name.replace(/^tailrace_agent_/, '').replaceAll('_', ' ');
}
