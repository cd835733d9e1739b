"""
Reads folders of objects with Spark: spark.py LIBRARY FOLDER... prints a line for each folder, as readers.py does. The library
is spark, which infers the columns, or spark_ours, which takes those of `tailrace ddl` in FOLDER.tables.json.
"""

import glob
import json
import sys

from pyspark.sql import SparkSession
from pyspark.sql.types import BooleanType, DoubleType, IntegerType, LongType, StringType, StructField, StructType
from values import lines_in, misread

library, *folders = sys.argv[1:]
TYPES = {"int": IntegerType, "bigint": LongType, "double": DoubleType, "boolean": BooleanType, "string": StringType}

spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")


def read(folder):
    if library == "spark":
        return spark.read.json(folder)
    spark.conf.set("spark.sql.caseSensitive", "true")
    with open(folder + ".tables.json") as file:
        columns = json.load(file)["spark"]["columns"]
    schema = [StructField(column["field"], TYPES[column["type"]]()) for column in columns]
    return spark.read.schema(StructType(schema)).json(folder)


def outcome(folder):
    files = sorted(glob.glob(folder + "/*"))
    try:
        rows = [row.asDict(recursive=True) for row in read(folder).collect()]
        if files[0].endswith(".zst"):
            return f"{len(rows)} 0"
        return f"{len(rows)} {misread(lines_in(files), rows, len(files) > 1)}"
    except Exception as error:
        return f"error {error}".replace("\n", " ").replace(folder + "/", "")[:200]


for folder in folders:
    print(outcome(folder), flush=True)
spark.stop()
