#!/bin/sh
# Before the removal by dpkg (with "remove") or rpm (with 0); an upgrade leaves the service alone.
set -e
case "$1" in
  remove | 0) ;;
  *) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
# SIGTERM flushes; what is left stays in /var/lib/tailrace/spool, and tailrace recover sends it.
systemctl disable --now --quiet tailrace.service
