# Run on an instance that is about to terminate. Before it stand GROUP, STOP_FIRST and FLUSH_SECONDS.
# Ends with 0 only when nothing is left: every file read to its end, everything acknowledged by the stream.
PATH=$PATH:/usr/local/bin:/opt/tailrace/bin
STATE=$TAILRACE_STATE
[ -n "$STATE" ] || STATE=/var/lib/tailrace
say() { echo "tailrace: $*"; }

if [ ! -d "$STATE" ] && ! command -v tailrace >/dev/null; then
  say 'there never was an agent here: nothing to flush'
  exit 0
fi

# Nothing may write after the last read.
for unit in $STOP_FIRST; do
  systemctl cat "$unit" >/dev/null 2>&1 || continue
  systemctl stop "$unit" || { say "$unit does not stop"; exit 1; }
  say "stopped $unit"
done

# A little less than Systems Manager grants, so that there is time to spill what could not be sent.
flush() { tailrace flush --state "$STATE" --timeout "$((FLUSH_SECONDS - 15))s"; }
flush
code=$?
if [ "$code" = 1 ]; then
  # Nobody answered. An agent that is down is started: what is in its files and its spool has to go.
  say "the agent of group $GROUP does not answer: it is started"
  systemctl start tailrace || exit 1
  tries=0
  while [ "$code" = 1 ] && [ "$tries" -lt 30 ]; do
    sleep 1
    tries=$((tries + 1))
    flush
    code=$?
  done
fi
say "flush ended with $code"
exit "$code"
