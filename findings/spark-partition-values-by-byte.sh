#!/usr/bin/env bash
# Spark 4.3.0: the name of a partition's folder is decoded from %XX byte by byte, so that letters beyond ASCII become others.
#
# Behaviour: of a folder city=caf%C3%A9, the UTF-8 of "café" as in a URL, the column city is "cafÃ©": %C3 and %A9 are a letter
# each. A filter by "café" finds nothing and reports nothing. %20 and %2F are decoded as meant. DuckDB 2.0.1 reads "café".
# Consequence: a tag with letters beyond ASCII is another one in Spark. decode(encode(city, 'ISO-8859-1'), 'UTF-8') is what was
# written; tags of ASCII are the same in every reader that decodes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "pyspark==4.3.0" "duckdb==2.0.1"

"$folder/venv/bin/python" - "$folder" 2> "$folder/log" <<'PYTHON' || { cat "$folder/log"; exit 1; }
import os
import sys

import duckdb
from pyspark.sql import SparkSession

root = sys.argv[1] + "/table"
for name in ["caf%C3%A9", "a%2Fb%20c"]:
    os.makedirs(f"{root}/city={name}")
    with open(f"{root}/city={name}/lines.json", "w") as file:
        file.write('{"id":1}\n')
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .getOrCreate()
)
rows = spark.read.json(root)
by_spark = sorted(row.city for row in rows.collect())
by_duckdb = sorted(city for (city,) in duckdb.sql(f"select city from read_json('{root}/*/*')").fetchall())
print("Spark:", by_spark, "DuckDB:", by_duckdb)
assert by_spark == ["a/b c", "caf\u00c3\u00a9"]
assert by_duckdb == ["a/b c", "café"]
assert rows.where("city = 'café'").count() == 0
assert rows.where("decode(encode(city, 'ISO-8859-1'), 'UTF-8') = 'café'").count() == 1
spark.stop()
PYTHON
echo "as described"
