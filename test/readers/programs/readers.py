"""
Reads folders of objects as one library does: readers.py LIBRARY FOLDER... prints a line for each folder: its rows, and
how many of them have other values than the line; or "error" and why. Each is read in a process of its own.
"""

import glob
import json
import os
import sys

from values import lines_in, misread

library, *folders = sys.argv[1:]


def is_zstd(files):
    return files[0].endswith(".zst")


# What parses gives its rows as dicts.


def by_duckdb(folder, files):
    import duckdb

    # All columns: a mere count would not parse them.
    relation = duckdb.sql(f"select * from read_json('{folder}/*', format='newline_delimited')")
    return [dict(zip(relation.columns, row)) for row in relation.fetchall()]


def by_duckdb_options(folder, files):
    import duckdb

    lines = duckdb.sql(f"select json from read_ndjson_objects('{folder}/*')").fetchall()
    return [json.loads(line) for (line,) in lines]


def by_pyarrow(folder, files):
    import pyarrow.dataset

    return pyarrow.dataset.dataset(files, format="json").to_table().to_pylist()


def by_pyarrow_options(folder, files):
    import pyarrow
    from pyarrow import json as arrow_json

    block = arrow_json.ReadOptions(block_size=1 << 30)
    full = [file for file in files if os.path.getsize(file) > 20]
    tables = [arrow_json.read_json(pyarrow.input_stream(file), read_options=block) for file in full]
    return pyarrow.concat_tables(tables, promote_options="permissive").to_pylist()


def by_polars(folder, files):
    import polars

    return polars.scan_ndjson(folder + "/*").collect().to_dicts()


def by_polars_options(folder, files):
    import polars

    full = [file for file in files if os.path.getsize(file) > 20]
    frames = [polars.scan_ndjson(file, infer_schema_length=None) for file in full]
    return polars.concat(frames, how="diagonal_relaxed").collect().to_dicts()


def by_pandas(folder, files, **options):
    import pandas

    return [row for file in files for row in pandas.read_json(file, lines=True, **options).to_dict("records")]


def by_pandas_options(folder, files):
    return by_pandas(folder, files, dtype=False, convert_dates=False)


def by_chdb(folder, files):
    import chdb

    text = str(chdb.query(f"select * from file('{folder}/*', 'JSONEachRow')", "JSONEachRow"))
    return [json.loads(line) for line in text.split("\n") if line]


def by_chdb_options(folder, files):
    import chdb

    text = str(chdb.query(f"select json from file('{folder}/*', 'JSONAsString')", "JSONEachRow"))
    return [json.loads(json.loads(line)["json"]) for line in text.split("\n") if line]


def by_datafusion(folder, files, **options):
    import datafusion

    context = datafusion.SessionContext()
    codec = "zstd" if is_zstd(files) else "gzip"
    extension = ".ndjson.zst" if is_zstd(files) else ".ndjson.gz"
    context.register_json("t", folder + "/", file_extension=extension, file_compression_type=codec, **options)
    return [row for batch in context.sql("select * from t").collect() for row in batch.to_pylist()]


def by_datafusion_options(folder, files):
    return by_datafusion(folder, files, schema_infer_max_records=1 << 31)


# What decompresses gives the number of lines.


def lines_of(read):
    return lambda folder, files: sum(read(open(file, "rb").read()).count(b"\n") for file in files)


def by_gzip(folder, files):
    import gzip

    return lines_of(gzip.decompress)(folder, files)


def by_zlib(folder, files):
    import zlib

    return lines_of(lambda data: zlib.decompress(data, 31))(folder, files)


def by_isal(folder, files):
    from isal import isal_zlib

    return lines_of(lambda data: isal_zlib.decompress(data, 31))(folder, files)


def by_zstandard(folder, files):
    import zstandard

    read = zstandard.ZstdDecompressor().stream_reader
    return lines_of(lambda data: read(data, read_across_frames=True).read())(folder, files)


def by_zstandard_decompress(folder, files):
    import zstandard

    read = zstandard.ZstdDecompressor().decompress
    return lines_of(lambda data: read(data, max_output_size=1 << 28))(folder, files)


def outcome(folder):
    files = sorted(glob.glob(folder + "/*"))
    try:
        read = globals()["by_" + library](folder, files)
        if isinstance(read, int):
            return f"{read} 0"
        return f"{len(read)} {0 if is_zstd(files) else misread(lines_in(files), read, len(files) > 1)}"
    except BaseException as error:  # Some are none of Exception's.
        return f"error {error}".replace("\n", " ").replace(folder + "/", "")[:200]


def apart(folder):
    """What ends one reader, such as the depth of its stack, does not end the others."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, outcome(folder).encode("utf-8", "replace"))
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        text = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return text or f"error ended with {os.waitstatus_to_exitcode(status)} and without a word"


__import__(library.split("_")[0])
for folder in folders:
    # chdb has threads, of which a fork has none.
    print((outcome if library.startswith("chdb") else apart)(folder), flush=True)
