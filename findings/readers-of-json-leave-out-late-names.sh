#!/usr/bin/env bash
# polars 2.1.0, DataFusion 55.0.0, chdb 4.4.0 (ClickHouse 26.9), pyarrow 26.0.1: a name that first comes late in lines of
# JSON, or in the second file alone, becomes no column, and nothing is reported. DuckDB 2.0.1 reports it.
#
# Behaviour: in one gzip file with a name first in line 30,000, polars (which looks at 100 lines), DataFusion (1,000) and
# ClickHouse (25,000) return all rows without the column. pyarrow.dataset learns from the first file: of two files, the
# column of the second is left out, as by polars. DuckDB ends with an error that names the line.
# Consequence: a query of a day of logs has fewer columns than one of its hours, and sums are short in silence. What reads
# all: polars infer_schema_length=None and a frame for each file, DataFusion schema_infer_max_records, ClickHouse's format
# JSONAsString, DuckDB read_ndjson_objects or sample_size=-1, pyarrow a table for each file and promote_options.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "duckdb==2.0.1" "polars==2.1.0" "datafusion==55.0.0" "chdb==4.4.0" "pyarrow==26.0.1"

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import gzip
import os
import sys

import chdb
import datafusion
import duckdb
import polars
import pyarrow.dataset

root = sys.argv[1]
LINES = [f'{{"id":"s{i}"}}\n' for i in range(29_999)]
LATE = '{"id":"a","late":1}\n'
for name, files in {"one": ["".join(LINES) + LATE], "two": ["".join(LINES[:99]), LATE]}.items():
    os.makedirs(f"{root}/{name}")
    for i, text in enumerate(files):
        with gzip.open(f"{root}/{name}/{i}.ndjson.gz", "wt") as file:
            file.write(text)


def by_datafusion(name, **options):
    context = datafusion.SessionContext()
    context.register_json("t", f"{root}/{name}/", file_extension=".ndjson.gz", file_compression_type="gzip", **options)
    return context.sql("select * from t").to_arrow_table().column_names


def by_clickhouse(name):
    described = chdb.query(f"describe file('{root}/{name}/*', 'JSONEachRow')", "TSV")
    return [line.split("\t")[0] for line in str(described).splitlines()]


def by_duckdb(name, options=""):
    try:
        relation = duckdb.sql(f"select * from read_json('{root}/{name}/*', format='newline_delimited'{options})")
        relation.fetchall()
        return relation.columns
    except duckdb.Error as error:
        return f"error: {str(error)[:120]}"


def by_pyarrow(name):
    files = [f"{root}/{name}/{file}" for file in sorted(os.listdir(f"{root}/{name}"))]
    return pyarrow.dataset.dataset(files, format="json").to_table().column_names


found = {
    "polars, line 30,000": polars.scan_ndjson(f"{root}/one/*").collect().columns,
    "DataFusion, line 30,000": by_datafusion("one"),
    "ClickHouse, line 30,000": by_clickhouse("one"),
    "polars, second file": polars.scan_ndjson(f"{root}/two/*").collect().columns,
    "pyarrow, second file": by_pyarrow("two"),
}
whole = {
    "polars, all lines": polars.scan_ndjson(f"{root}/one/*", infer_schema_length=None).collect().columns,
    "DataFusion, all lines": by_datafusion("one", schema_infer_max_records=1 << 31),
    "DuckDB, all lines": by_duckdb("one", ", sample_size=-1"),
}
reported = by_duckdb("one")
for name, columns in {**found, **whole, "DuckDB, line 30,000": reported}.items():
    print(f"{name}: {columns}")
assert all(list(columns) == ["id"] for columns in found.values())
assert all(list(columns) == ["id", "late"] for columns in whole.values())
assert str(reported).startswith("error") and "line 30000" in reported
PYTHON
echo "as described"
