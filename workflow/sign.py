"""Give records that were written before records had digests theirs: ``python workflow/sign.py FILE…``; without files, all committed ones.

It checks what could be checked then, that a record's id is the digest of its spec, and signs what it finds; a record that has a digest is left alone.
"""

import sys
from pathlib import Path

from synthlearn.core import files
from synthlearn.study import records


def sign(path: Path) -> bool:
    """Whether the file is a record that had no digest, and now has one."""
    record = files.read_json(path)
    if "spec" not in record or "digest" in record or files.digest(record["spec"]) != record["id"]:
        return False
    records.write(path, record)
    return True


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]] or sorted(
        (files.root() / "results").rglob("*.json")
    )
    print(f"{sum(map(sign, given))} of {len(given)} files signed")
