"""All committed records as one CSV and one Parquet file, for the readers of the book.

python -m synthlearn.site.takeaway FOLDER
"""

import csv
import sys
from pathlib import Path

from ..core import files
from ..study import flat

CSV, PARQUET = "records.csv", "records.parquet"


def write(folder: Path) -> list[Path]:
    """Write both files, of the same table: a line for every record and probe.

    Returns: the files; the CSV alone where pyarrow, of the extra ``book``, is not installed.
    """
    table = flat.table()
    written = [folder / CSV]
    with files.atomic(folder / CSV) as path, path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        print(f"no {PARQUET}: pip install pyarrow", file=sys.stderr)
        return written
    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    fields = [
        pyarrow.field(column.name, kinds[column.type], metadata={"meaning": column.meaning})
        for column in flat.COLUMNS
    ]
    with files.atomic(folder / PARQUET) as path:
        content = pyarrow.table(table, schema=pyarrow.schema(fields))
        parquet.write_table(content, path, compression="zstd")
    return [*written, folder / PARQUET]


if __name__ == "__main__":
    for each in write(Path(sys.argv[1])):
        print(each)
