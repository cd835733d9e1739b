"""
Reads folders of objects by one deserializer of Athena's tables: athena.py LIBRARY FOLDER... prints a line for each folder, as
readers.py does. The tables are in FOLDER.tables.json; a library that ends in _ours takes that of `tailrace ddl`.
"""

import glob
import json
import subprocess
import sys
from urllib.parse import quote

from values import lines_in, misread, renamed

library, *folders = sys.argv[1:]
ours = library.endswith("_ours")


def table(folder):
    with open(folder + ".tables.json") as file:
        return json.load(file)["ours" if ours else "byHand"]


def described(folder):
    columns, properties = (table(folder)[part] for part in ("columns", "properties"))
    parts = [folder, str(len(columns))]
    for column in columns:
        parts += [column["name"], column["type"]]
    for pair in properties.items():
        parts += pair
    return "\t".join(quote(part) for part in parts)


def compared(folder, rows):
    files = sorted(glob.glob(folder + "/*"))
    if files[0].endswith(".zst"):
        return f"{len(rows)} 0"
    lines = lines_in(files)
    fields = [column["field"] for column in table(folder)["columns"]]
    dicts = [dict(zip(fields, row)) for row in rows]
    if not ours:
        dicts = [renamed(line, row) for line, row in zip(lines, dicts)]
    return f"{len(rows)} {misread(lines, dicts, False)}"


java = subprocess.Popen(
    ["java", "-Xss8m", "-cp", "lib/*:.", "Athena", library.removesuffix("_ours")],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
)
for folder in folders:
    java.stdin.write(described(folder) + "\n")
    java.stdin.flush()
    rows = []
    while (line := java.stdout.readline()) and not line.startswith(("end", "error")):
        rows.append(json.loads(line))
    if line.startswith("error"):
        print(line.strip().replace(folder + "/", "")[:200], flush=True)
    elif line:
        print(compared(folder, rows), flush=True)
    else:
        print("error ended without a word", flush=True)
java.stdin.close()
java.wait()
