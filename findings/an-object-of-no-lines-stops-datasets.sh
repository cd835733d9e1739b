#!/usr/bin/env bash
# pyarrow 26.0.1 and polars 2.1.0: one gzip file of no lines, 20 bytes that decompress to nothing, among files of JSON lines.
#
# Behaviour: pyarrow's dataset raises, wherever the empty file stands ("Empty JSON stream"). polars' scan_ndjson raises when it
# comes first by name, and gives all rows when it comes later. DuckDB 2.0.1 and DataFusion 55.0.0 give all rows in both cases.
# Consequence: a program that writes an object for an interval without events takes the whole folder from some of its readers;
# it should write none.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "pyarrow==26.0.1" "polars==2.1.0" "duckdb==2.0.1" "datafusion==55.0.0"

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import gzip
import os
import sys

import datafusion
import duckdb
import polars
import pyarrow.dataset

root = sys.argv[1]


def by_datafusion(path):
    session = datafusion.SessionContext()
    session.register_json("lines", path, file_extension=".gz", file_compression_type="gzip")
    return len(session.sql("SELECT * FROM lines").to_pylist())


readers = {
    "pyarrow": lambda path: pyarrow.dataset.dataset(path, format="json").to_table().num_rows,
    "polars": lambda path: polars.scan_ndjson(f"{path}/*.gz").collect().height,
    "duckdb": lambda path: duckdb.sql(f"SELECT count(*) FROM read_json('{path}/*.gz')").fetchall()[0][0],
    "datafusion": by_datafusion,
}
seen = {}
for place, names in {"first": "ab", "last": "ba"}.items():
    os.makedirs(f"{root}/{place}")
    for name, data in zip(names, (b"", b'{"n":1}\n')):
        with open(f"{root}/{place}/{name}.ndjson.gz", "wb") as file:
            file.write(gzip.compress(data))
    for reader, count in readers.items():
        try:
            seen[place, reader] = count(f"{root}/{place}")
        except Exception as error:
            seen[place, reader] = f"{type(error).__name__}: {str(error)[-60:]}"
        print(f"the empty file {place}, {reader}: {seen[place, reader]}")
refused = {key for key, value in seen.items() if value != 1}
assert refused == {("first", "pyarrow"), ("last", "pyarrow"), ("first", "polars")}
PYTHON
echo "as described"
