"""Compares rows that a library read with the lines they were read from."""

import datetime
import gzip
import json
import re


def lines_in(files):
    return [json.loads(line) for file in files for line in gzip.open(file).read().split(b"\n") if line.strip()]


def misread(lines, rows, mixed):
    """How many lines have other values in `rows`, which are dicts; `mixed` when the order
    is not the lines'."""
    if mixed:
        lines, rows = [sorted(of, key=lambda one: str(one.get("id"))) for of in (lines, rows)]
    return sum(not is_same(line, row) for line, row in zip(lines, rows))


def is_same(value, read):
    """Whether what was read is what stands in the line; members without a value may come or go."""
    if isinstance(value, dict):
        if isinstance(read, str):
            return is_same_text(value, read)
        if isinstance(read, list):  # the pairs of a map
            read = dict(read)
        if read is None or not isinstance(read, dict):
            return read is None and is_nothing(value)
        return all(is_same(value.get(name), read.get(name)) for name in value.keys() | read.keys())
    if isinstance(value, list):
        if isinstance(read, str):
            return is_same_text(value, read)
        if read is None or not isinstance(read, (list, tuple)):
            return read is None and is_nothing(value)
        return len(value) == len(read) and all(map(is_same, value, read))
    if value is None or read is None or read != read:
        return is_nothing(value) and is_nothing(read)
    if isinstance(value, bool) or isinstance(read, bool):
        return value == read or str(read).lower() == str(value).lower()
    if isinstance(value, (int, float)):
        return is_same_number(value, read)
    if isinstance(read, (datetime.datetime, datetime.date)):
        return is_same_time(value, read)
    return value == str(read) or clock(value) == clock(str(read)) or is_same_text(value, read)


def clock(text):
    """A time in UTC without what each reader writes its own way."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+?)0*)?Z?", text)
    return found.groups(default="0") if found else text


def is_nothing(value):
    if isinstance(value, dict):
        return all(map(is_nothing, value.values()))
    # A reader that has numbers alone writes no value as NaN.
    return value is None or value == [] or value == "null" or value != value


def is_same_text(value, read):
    """For columns of several types, which some readers give as the JSON of each value."""
    try:
        parsed = json.loads(read)
    except (ValueError, TypeError):
        return False
    return not isinstance(parsed, str) and is_same(value, parsed) or parsed == value


def is_same_number(value, read):
    try:
        if isinstance(value, int) and not isinstance(read, float):
            return int(read) == value
        return float(read) == float(value) and (isinstance(value, float) or int(float(read)) == value)
    except (ValueError, TypeError, OverflowError):
        return False


def is_same_time(value, read):
    try:
        time = datetime.datetime.fromisoformat(value)
    except ValueError:
        return False
    if not isinstance(read, datetime.datetime):
        return time.date() == read
    return time.replace(tzinfo=None) == read.replace(tzinfo=None)


def renamed(line, row):
    """A row of a reader that folds names to lower case, under the line's names; what the line has no name for stays."""
    if isinstance(line, list) and isinstance(row, list) and len(line) == len(row):
        return [renamed(*pair) for pair in zip(line, row)]
    if not isinstance(line, dict) or not isinstance(row, dict):
        return row
    folded = {name.lower() for name in line}
    others = {name: value for name, value in row.items() if name not in folded}
    return {**others, **{name: renamed(value, row.get(name.lower())) for name, value in line.items()}}
