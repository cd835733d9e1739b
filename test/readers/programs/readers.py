"""Counts the rows of a folder of objects as one library reads them: readers.py LIBRARY FOLDER."""

import glob
import sys

library, folder = sys.argv[1:]
files = sorted(glob.glob(folder + "/*"))
codec = "gzip" if files[0].endswith(".gz") else "zstd"


def by_duckdb():
    import duckdb

    # All columns: a mere count would not parse them.
    query = f"select * from read_json('{folder}/*', format='newline_delimited')"
    return len(duckdb.sql(query).fetchall())


def by_pyarrow():
    import pyarrow.dataset

    return pyarrow.dataset.dataset(files, format="json").to_table().num_rows


def by_polars():
    import polars

    return polars.scan_ndjson(folder + "/*").collect().height


def by_pandas():
    import pandas

    return sum(len(pandas.read_json(file, lines=True)) for file in files)


def by_chdb():
    import chdb

    return str(chdb.query(f"select * from file('{folder}/*', 'JSONEachRow')", "JSONEachRow")).count("\n")


def by_datafusion():
    import datafusion

    context = datafusion.SessionContext()
    extension = ".ndjson.gz" if codec == "gzip" else ".ndjson.zst"
    context.register_json("t", folder + "/", file_extension=extension, file_compression_type=codec)
    return sum(batch.num_rows for batch in context.sql("select * from t").collect())


def lines_of(read):
    return sum(read(open(file, "rb").read()).count(b"\n") for file in files)


def by_gzip():
    import gzip

    return lines_of(gzip.decompress)


def by_zlib():
    import zlib

    return lines_of(lambda data: zlib.decompress(data, 31))


def by_isal():
    from isal import isal_zlib

    return lines_of(lambda data: isal_zlib.decompress(data, 31))


def by_zstandard():
    import zstandard

    return lines_of(lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read())


def by_zstandard_decompress():
    import zstandard

    return lines_of(lambda data: zstandard.ZstdDecompressor().decompress(data, max_output_size=1 << 28))


print(globals()["by_" + library]())
