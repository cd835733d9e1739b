#!/usr/bin/env bash
# DuckDB 2.0.1: two names inside JSON objects that differ in case alone stop read_json of all files; at the top they do not.
#
# Behaviour: {"o":{"k":1,"K":2}}, and {"o":{"k":1}} and {"o":{"K":1}} in two lines or two files, end with "Duplicate name "K" in
# struct auto-detected in JSON", for all rows. Top-level k and K become the columns k and K_1.
# Consequence: one client that writes Host where others write host, inside an object of headers, stops every query of the
# hour. ignore_errors, which the message advises, leaves out the value of K and reports nothing. read_ndjson_objects, or
# maximum_depth = 1 (objects stay JSON), reads all.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "duckdb==2.0.1"

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb

root = sys.argv[1]


def read(name, lines, source="read_json('{}', format='newline_delimited'{})", options=""):
    path = f"{root}/{name}.ndjson"
    with open(path, "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
    try:
        relation = duckdb.sql("select * from " + source.format(path, options))
        return relation.columns, relation.fetchall()
    except duckdb.Error as error:
        return str(error).split("\n")[0]


one = ['{"id":"a","o":{"k":1,"K":2}}']
two = ['{"id":"a","o":{"k":1}}', '{"id":"b","o":{"K":1}}']
found = {
    "one line": read("one", one),
    "two lines": read("two", two),
    "two lines, ignore_errors": read("ignored", two, options=", ignore_errors=true"),
    "at the top": read("top", ['{"k":1,"K":2}']),
    "two lines, maximum_depth = 1": read("depth", two, options=", maximum_depth=1"),
    "two lines, read_ndjson_objects": read("objects", two, source="read_ndjson_objects('{}')"),
}
for name, result in found.items():
    print(f"{name}: {result}")
duplicate = 'Duplicate name "K" in struct'
assert duplicate in found["one line"] and duplicate in found["two lines"]
assert found["two lines, ignore_errors"] == (["id", "o"], [("a", {"k": 1}), ("b", {"k": None})])
assert found["at the top"] == (["k", "K_1"], [(1, 2)])
assert [o for _, o in found["two lines, maximum_depth = 1"][1]] == ['{"k":1}', '{"K":1}']
assert len(found["two lines, read_ndjson_objects"][1]) == 2
PYTHON
echo "as described"
