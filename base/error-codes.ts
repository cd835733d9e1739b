/** Every error that tailrace raises: its code, the exit code of the command that it ends, and what to do. */

interface ErrorDescription {
  /** 2: the configuration, or something it names, cannot be used, and nothing was started. 1: the work failed. */
  readonly exit: 1 | 2;
  readonly means: string;
  readonly remedy: string;
}

/** docs/errors.md is generated from this list: `npm run docs`. */
export const ERRORS = {
  CONFIG: {
    exit: 2,
    means: 'A configuration file, an option or a secret file cannot be read or is not valid.',
    remedy: "The message names the file and the key. Correct it; `tailrace agent --check` tries an agent's.",
  },
  FORMAT: {
    exit: 2,
    means: 'A log format or a transform contradicts itself.',
    remedy: 'The message names the key and the part of the format. Correct it.',
  },
  BAD_PATTERN: {
    exit: 2,
    means: 'A match pattern of a route is not valid.',
    remedy: 'Correct the pattern that the message quotes.',
  },
  LISTEN: {
    exit: 2,
    means: 'An address cannot be listened on: it is in use, or this user may not open it.',
    remedy: 'Stop what listens there, or choose another address.',
  },
  JOURNALD: {
    exit: 2,
    means: 'The systemd journal cannot be read.',
    remedy: 'Install systemd, and make the agent a member of the group systemd-journal.',
  },
  TAKE_OVER: {
    exit: 2,
    means:
      'An input is to go on where another agent has stopped, and the positions of that agent cannot be read.',
    remedy:
      'Stop the other agent, make its file readable for this one, or remove `take_over` to start as `read_from_head` says.',
  },
  FORWARD_TLS: {
    exit: 2,
    means: 'A TLS file of a forward input cannot be read, or certificate and key do not belong together.',
    remedy: "Make the files readable for the agent's user and check them with `openssl x509`.",
  },
  METADATA: {
    exit: 2,
    means: 'Events are to carry a fact of the EC2 instance, and its metadata service does not answer.',
    remedy:
      'Run on an instance with IMDSv2 reachable, correct `instance.endpoint`, or remove the placeholder.',
  },
  STREAM: {
    exit: 2,
    means: "The Kinesis stream does not exist, or the agent's first start cannot reach it.",
    remedy: "Create the stream, or correct its name, region or the role's permissions.",
  },
  STATE_LOCKED: {
    exit: 2,
    means: 'Another agent uses the state directory.',
    remedy: 'Stop the process that the message names, or choose another `state_dir`.',
  },
  STATE_INVALID: {
    exit: 2,
    means: 'The state in a spool is not in the form that this release reads.',
    remedy: 'Run the release that wrote it, or a later one; the spool keeps everything.',
  },
  NO_SPOOL: {
    exit: 2,
    means: 'There is no spool in the directory.',
    remedy: 'Name the state directory of the agent, the one that contains `spool/`.',
  },
  JAVA_MISSING: {
    exit: 2,
    means: "The consumer's Java runtime cannot be started.",
    remedy: 'Install Java 17 or later, or set `java.command`.',
  },
  JARS_UNAVAILABLE: {
    exit: 2,
    means: 'The Java libraries of the KCL daemon cannot be downloaded, or do not match their checksums.',
    remedy: 'Allow access to Maven Central, or set `java.jars` to a directory that contains them.',
  },
  ARCHIVE_UNAVAILABLE: {
    exit: 2,
    means: 'S3 did not answer a command within its attempts, or denied access.',
    remedy: "Check the bucket's name, region and permissions.",
  },
  NO_ARCHIVE: {
    exit: 2,
    means: 'There is no archive in the bucket, under the prefix or in the folder.',
    remedy: 'Check bucket, prefix and folder, or wait until the first batch is archived.',
  },
  DUCKDB_MISSING: {
    exit: 2,
    means:
      'A command needs DuckDB, an optional dependency that is not installed or has no build for this system.',
    remedy: 'Install the release that the message names, in the folder of tailrace.',
  },
  QUERY_INVALID: {
    exit: 2,
    means: 'The SQL of a query is not one SELECT, or names a table, column or file that it cannot have.',
    remedy: "The message is DuckDB's. `DESCRIBE logs` lists the columns.",
  },
  QUERY_TOO_LARGE: {
    exit: 2,
    means: 'The objects that a query needs come to more than it may fetch.',
    remedy: 'Name a tag and a shorter time, or raise `--cache`.',
  },
  QUERY_FAILED: {
    exit: 1,
    means: 'A query failed while it ran, or was interrupted.',
    remedy: "The message is DuckDB's. Where memory is short, raise `--memory` or narrow the query.",
  },
  DATA_DIR: {
    exit: 2,
    means: 'The data folder of the local stack cannot be used.',
    remedy: 'Choose a folder that can be written.',
  },
  DATA_DIR_IN_USE: {
    exit: 2,
    means: 'Another process uses the data folder of the local stack.',
    remedy: 'Stop that process, or choose another folder.',
  },
  NO_AGENT: {
    exit: 1,
    means: 'No agent runs on the state directory.',
    remedy: 'Start it, or name its state directory with `--state`.',
  },
  NO_CONSUMER: {
    exit: 1,
    means: 'No consumer answers at its HTTP address.',
    remedy: 'Start it, or correct `http.listen`.',
  },
  CONTROL: {
    exit: 1,
    means: "The agent's control socket cannot be reached.",
    remedy: "Run the command as the agent's user or as root.",
  },
  SILENT: {
    exit: 1,
    means: 'The agent accepted the request and does not respond.',
    remedy: 'Restart it; its spool keeps everything.',
  },
  STARTING: {
    exit: 1,
    means: 'The agent is still recovering its spool.',
    remedy: 'Retry in a moment.',
  },
  STATUS: {
    exit: 1,
    means: 'The agent closed the connection before it answered, or is of another release.',
    remedy: 'Check whether it runs, and use the command that is installed with it.',
  },
  FLUSH: {
    exit: 1,
    means: 'The agent could not flush.',
    remedy: "The message is the agent's; nothing is lost, and a flush can be repeated.",
  },
  RELOAD: {
    exit: 1,
    means: 'The agent was started without a configuration file, so there is nothing to reload.',
    remedy: 'Restart it with `--config`.',
  },
  SEND: {
    exit: 1,
    means: 'No agent acknowledged the events.',
    remedy: 'Check that an agent with a forward input listens there.',
  },
  OBJECT_COLD: {
    exit: 1,
    means: 'An object is in a storage class from which it must be restored before it can be read.',
    remedy: 'Restore it with S3 (`aws s3api restore-object`), or leave its hours out of the range.',
  },
  CONDITIONAL_WRITES: {
    exit: 2,
    means: 'The object store accepts a write with `If-None-Match: *` although the object exists.',
    remedy: 'Use a store that supports conditional writes: Amazon S3, or a release of yours that has them.',
  },
  OBJECT_DIFFERS: {
    exit: 1,
    means: 'An object has another length than its commit says: something else writes to this archive.',
    remedy: 'Find the other writer and deny it access; the shard stops until then.',
  },
  ENCODER_UNKNOWN: {
    exit: 1,
    means: 'A commit lacks data, and only a later release knows how its objects are written.',
    remedy:
      'Upgrade every consumer of the stream to the release of the newest one; nothing is lost meanwhile.',
  },
  COMMIT_CORRUPT: {
    exit: 1,
    means: 'A commit in the archive is not valid, or does not match its hash.',
    remedy: "Restore the object's earlier version; tailrace never changes a commit.",
  },
  COMPACTION_CORRUPT: {
    exit: 1,
    means: 'An entry of the log of compactions is not valid, or does not match its hash.',
    remedy: "Restore the object's earlier version; tailrace never changes one.",
  },
  COMPACTION_ROWS: {
    exit: 1,
    means:
      'Objects of an hour have another number of lines than their commits say, so they are not compacted.',
    remedy: 'Run `tailrace verify --deep` for the hour: it names what is wrong with the objects.',
  },
  BAD_COMMIT_NUMBER: {
    exit: 1,
    means: 'A commit log has reached a number that a key cannot hold.',
    remedy: 'Report it: this takes thousands of years.',
  },
  BAD_RUNS: {
    exit: 1,
    means: 'A list of sequence runs in a commit is not valid.',
    remedy: "Restore the commit's earlier version.",
  },
  BAD_CHECKPOINT: {
    exit: 1,
    means:
      'A lease starts where records would be left out: at LATEST or a time, or behind the end of what this archive has, because bucket, prefix or application were changed or commits are gone.',
    remedy:
      'Correct bucket and prefix; otherwise set the checkpoint of that lease to TRIM_HORIZON, or delete the lease table, which repeats nothing.',
  },
  REREAD_NEEDED: {
    exit: 1,
    means: "A shard's commit lacks data that only records before this reader's position can restore.",
    remedy: "Nothing: the shard's process restarts at its checkpoint by itself.",
  },
  SHARD_GONE: {
    exit: 1,
    means: 'A batch is of a shard that is no longer in the stream.',
    remedy:
      'Nothing, when the stream was deleted and recreated: the event source mapping moves on to the new one.',
  },
  SHARD_LISTED: {
    exit: 1,
    means: 'The stream lists a shard that it did not list a moment ago.',
    remedy: "Nothing: the shard's process restarts by itself.",
  },
  SHARD_OPEN: {
    exit: 1,
    means:
      'KCL takes a shard for ended that the stream lists as open, as after an answer that there is no such stream.',
    remedy: 'Nothing: the daemon restarts by itself and reads on.',
  },
  CHUNK_TRUNCATED: {
    exit: 1,
    means: 'Bytes end before the chunk that they begin.',
    remedy:
      'In a spool: nothing, a torn write is not acknowledged. In an object: it is damaged, run `verify --deep`.',
  },
  CHUNK_CORRUPT: {
    exit: 1,
    means: 'Bytes are not a chunk, or their checksum or lengths disagree.',
    remedy:
      'Damaged chunks of a spool are in its quarantine; those of the stream are archived as foreign records.',
  },
  CHUNK_VERSION: {
    exit: 1,
    means: 'A chunk has a format version that this release does not know.',
    remedy: 'Upgrade tailrace; the shard waits.',
  },
  CHUNK_TOO_LARGE: {
    exit: 1,
    means: 'A chunk would exceed the limits of the format.',
    remedy: 'Report it: the agent splits chunks long before.',
  },
  SPOOL_SYNC: {
    exit: 1,
    means: 'The disk failed to keep what it had accepted.',
    remedy: 'Check the disk; the agent stopped and recovers from its files at the next start.',
  },
  SPOOL_READ: {
    exit: 1,
    means: 'A spool segment cannot be read.',
    remedy: 'Check the disk; the agent keeps retrying.',
  },
  SPOOL_GONE: {
    exit: 1,
    means: 'A spool segment was read after all of it was acknowledged.',
    remedy: 'Report it: nothing is lost by it.',
  },
  SPOOL_CLOSED: {
    exit: 1,
    means: 'The spool was closed while its disk was full.',
    remedy: "Free space; the inputs' sources still hold what was not accepted.",
  },
  FORWARD_MALFORMED: {
    exit: 1,
    means: "A forward client sent bytes that are not the protocol's; its connection was closed.",
    remedy: 'Correct the client; the log names its address.',
  },
  FORWARD_TOO_LARGE: {
    exit: 1,
    means: 'A forward message is larger than `max_message_size`.',
    remedy: 'Let the client send smaller chunks, or raise the limit.',
  },
  FORWARD_BOMB: {
    exit: 1,
    means: 'A compressed forward message grows beyond its limit.',
    remedy: 'Let the client send smaller chunks, or raise the limit.',
  },
  FORWARD_TOO_DEEP: {
    exit: 1,
    means: 'The options of a forward message are nested too deeply.',
    remedy: 'Correct the client.',
  },
  FORWARD_SIGNAL: {
    exit: 1,
    means: 'A forward message contains a signal that no client sends.',
    remedy: 'Correct the client.',
  },
  FORWARD_AUTH: {
    exit: 1,
    means: 'A forward client failed the handshake.',
    remedy: 'Give client and input the same shared key, user and password.',
  },
  FORWARD_TIMEOUT: {
    exit: 1,
    means: 'A forward client was silent within a message or the handshake for `read_timeout`.',
    remedy: 'Check the network; the client reconnects by itself.',
  },
  FORWARD_INTERNAL: {
    exit: 1,
    means: 'A forward message could not be processed; its connection was closed without an ack.',
    remedy: 'Report it with the log; the client resends.',
  },
  BAD_NOTIFICATION: {
    exit: 1,
    means: 'A message in the readmit queue is not a notification from S3.',
    remedy: 'Remove whatever else sends to that queue.',
  },
  READMIT_UNFINISHED: {
    exit: 1,
    means: "A spilled object was not put back in full before the function's time was over.",
    remedy: 'Nothing: its message is redelivered, and repeats are skipped.',
  },
  BAD_EVENT: {
    exit: 1,
    means: 'A function was invoked with an event that it does not handle.',
    remedy: 'Correct the rule or the caller.',
  },
  BAD_ENVIRONMENT: {
    exit: 1,
    means: 'An environment variable of a function is missing or not valid.',
    remedy: 'Redeploy the stack.',
  },
  FUNCTION_TIMEOUT: {
    exit: 1,
    means: 'A function ran out of time.',
    remedy: 'Nothing: it is retried, and the watch covers for it.',
  },
  CHILD_FAILED: {
    exit: 1,
    means: 'A process of the local stack ended.',
    remedy: 'The message quotes the end of its log.',
  },
  STREAM_NOT_ACTIVE: {
    exit: 1,
    means: "The local stack's stream did not become active in time.",
    remedy: 'Retry on a machine with less load.',
  },
  PACKAGE: {
    exit: 1,
    means: 'A server package could not be built.',
    remedy: 'The message says what differs; nothing was written.',
  },
  PACKAGE_FUNCTIONS: {
    exit: 1,
    means: 'The functions could not be packaged.',
    remedy: 'The message quotes the packager.',
  },
} as const satisfies Readonly<Record<string, ErrorDescription>>;

export type ErrorCode = keyof typeof ERRORS;
