#!/usr/bin/env bash
# DataFusion 55.0.0 (Python package): of a zstd file of two frames it reads both from a local folder, and only the first from
# an object store, without an error. gzip files of two members are read whole from both.
#
# Behaviour: register_json of 2,000 lines in two zstd frames gives 2,000 rows from a file and 1,000 by s3://.
# Consequence: whoever concatenates zstd pieces, as RFC 8878 allows, gets part of the rows in every query over S3. One frame
# for each object, or gzip, is read whole.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "datafusion==55.0.0" "zstandard==0.25.0"

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import gzip
import http.server
import os
import sys
import threading

import datafusion
import zstandard
from datafusion.object_store import AmazonS3

root = sys.argv[1]
lines = [b'{"n":1}\n' * 1000, b'{"n":2}\n' * 1000]
files = {
    "zst": (b"".join(zstandard.ZstdCompressor().compress(part) for part in lines), "zstd"),
    "gz": (b"".join(gzip.compress(part) for part in lines), "gzip"),
}
for kind, (data, _) in files.items():
    os.makedirs(f"{root}/bucket/{kind}")
    with open(f"{root}/bucket/{kind}/a.ndjson.{kind}", "wb") as file:
        file.write(data)

EMPTY_LIST = (
    b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>'
    b"<KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"
)


class Bucket(http.server.BaseHTTPRequestHandler):
    """As much of S3 as reading one object takes: HEAD, GET of a range, and a list that is empty."""

    def log_message(self, *_):
        pass

    def answer(self, status, data, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Sat, 28 Nov 2026 12:00:00 GMT")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def do_GET(self):
        if "list-type" in self.path:
            return self.answer(200, EMPTY_LIST)
        with open(root + self.path, "rb") as file:
            data = file.read()
        asked = self.headers.get("Range")
        if not asked:
            return self.answer(200, data)
        first, last = asked.removeprefix("bytes=").split("-")
        start, end = int(first), min(int(last or len(data)), len(data) - 1)
        return self.answer(206, data[start : end + 1], Content_Range=f"bytes {start}-{end}/{len(data)}")

    do_HEAD = do_GET


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
threading.Thread(target=server.serve_forever, daemon=True).start()


def rows(kind, by_s3):
    session = datafusion.SessionContext()
    path = f"{root}/bucket/{kind}/a.ndjson.{kind}"
    if by_s3:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        store = AmazonS3(
            bucket_name="bucket", region="us-east-1", access_key_id="a", secret_access_key="b", endpoint=endpoint, allow_http=True
        )
        session.register_object_store("s3://", store, "bucket")
        path = f"s3://bucket/{kind}/a.ndjson.{kind}"
    session.register_json("lines", path, file_extension=f".{kind}", file_compression_type=files[kind][1])
    return len(session.sql("SELECT * FROM lines").to_pylist())


seen = {(kind, place): rows(kind, place == "S3") for kind in files for place in ("file", "S3")}
for (kind, place), count in seen.items():
    print(f"{kind} from {place}: {count} of 2000 rows")
assert seen == {("zst", "file"): 2000, ("zst", "S3"): 1000, ("gz", "file"): 2000, ("gz", "S3"): 2000}
PYTHON
echo "as described"
