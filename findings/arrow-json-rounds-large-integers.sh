#!/usr/bin/env bash
# pyarrow 26.0.1 and DataFusion 55.0.0: an integer of JSON lines beyond 63 bits turns its whole column into doubles.
#
# Behaviour: 9007199254740993 alone is read exactly, as int64. With one 18446744073709551615 (a valid unsigned 64-bit number,
# as trace and request ids have) in another row, the column is double, and 9007199254740993 is read as 9007199254740992.0,
# without an error. DuckDB 2.0.1 (HUGEINT), polars 2.1.0 (i128) and ClickHouse 26.9 (chdb 4.4.0, UInt64) keep both.
# Consequence: which ids are equal depends on the other rows of a file. Ids of 64 bits belong into JSON strings.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "pyarrow==26.0.1" "polars==2.1.0" "duckdb==2.0.1" "datafusion==55.0.0" "chdb==4.4.0"

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import chdb
import datafusion
import duckdb
import polars
import pyarrow.json

root = sys.argv[1]
ODD, LARGE = 9007199254740993, 18446744073709551615
for name, ids in {"alone": [ODD], "mixed": [ODD, LARGE]}.items():
    with open(f"{root}/{name}.ndjson", "w") as file:
        file.writelines(f'{{"id":{id}}}\n' for id in ids)


def by_datafusion(path):
    session = datafusion.SessionContext()
    session.register_json("lines", path, file_extension=".ndjson")
    return session.sql("SELECT id FROM lines").to_pylist()[0]["id"]


def by_clickhouse(path):
    return int(str(chdb.query(f"SELECT id FROM file('{path}', JSONEachRow)")).split()[0])


readers = {
    "pyarrow": lambda path: pyarrow.json.read_json(path)["id"].to_pylist()[0],
    "datafusion": by_datafusion,
    "polars": lambda path: polars.scan_ndjson(path).collect()["id"].to_list()[0],
    "duckdb": lambda path: duckdb.sql(f"SELECT id FROM read_json('{path}')").fetchall()[0][0],
    "clickhouse": by_clickhouse,
}
seen = {}
for name in ("alone", "mixed"):
    for reader, first in readers.items():
        seen[name, reader] = first(f"{root}/{name}.ndjson")
        print(f"{name}, {reader}: {seen[name, reader]!r}")
assert all(seen["alone", reader] == ODD for reader in readers)
rounded = {reader for reader in readers if isinstance(seen["mixed", reader], float)}
assert rounded == {"pyarrow", "datafusion"}
assert all(seen["mixed", reader] == (ODD if reader not in rounded else ODD - 1) for reader in readers)
PYTHON
echo "as described"
