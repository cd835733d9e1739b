#!/usr/bin/env bash
# pyarrow 26.0.1: a dataset of JSON lines opens `.ndjson.gz` and `.ndjson.zstd`, and not `.ndjson.zst`, the suffix that RFC 8878
# registers and the zstd program writes.
#
# Behaviour: dataset(…, format="json") over the same bytes gives all rows when the file is called .zstd; called .zst they are
# parsed as they are, compressed: "JSON parse error: Invalid value. in row 0". pyarrow.input_stream() decompresses .zst by name.
# Consequence: pyarrow cannot open an archive of zstd objects with the usual suffix as a dataset; each object has to be opened with
# input_stream and given to pyarrow.json.read_json, or gzip be used.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "pyarrow==26.0.1" "zstandard==0.25.0"

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import gzip
import os
import sys

import pyarrow
import pyarrow.dataset
import pyarrow.json
import zstandard

root = sys.argv[1]
lines = b'{"n":1}\n' * 1000
compressed = {"gz": gzip.compress(lines), "zstd": zstandard.ZstdCompressor().compress(lines)}
compressed["zst"] = compressed["zstd"]
seen = {}
for suffix, data in compressed.items():
    os.makedirs(f"{root}/{suffix}")
    path = f"{root}/{suffix}/a.ndjson.{suffix}"
    with open(path, "wb") as file:
        file.write(data)
    try:
        seen[suffix] = pyarrow.dataset.dataset(f"{root}/{suffix}", format="json").to_table().num_rows
    except pyarrow.ArrowInvalid as error:
        seen[suffix] = str(error).split("Invalid: ")[-1]
    print(f".{suffix}: {seen[suffix]}")
stream = pyarrow.json.read_json(pyarrow.input_stream(f"{root}/zst/a.ndjson.zst")).num_rows
print(f".zst by input_stream: {stream}")
assert seen["gz"] == 1000 and seen["zstd"] == 1000 and "JSON parse error" in str(seen["zst"]) and stream == 1000
PYTHON
echo "as described"
