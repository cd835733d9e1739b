"""Sends numbered events with Python's fluent-logger: client.py HOST PORT COUNT."""
import sys

from fluent import sender

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
logger = sender.FluentSender("app", host=host, port=port, nanosecond_precision=True)
for n in range(1, count + 1):
    if not logger.emit("python", {"n": n, "text": "grün %d" % n, "list": [1, None, 2.5], "bytes": b"\xff"}):
        raise SystemExit(str(logger.last_error))
logger.close()
