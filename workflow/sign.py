"""Give stored files that were written before these had digests theirs: ``python workflow/sign.py
FILE…``; without files, all committed records and benchmarks.

Of a record it checks what could be checked then, that its id is the digest of its spec. A file that
has a digest is left alone.
"""

import sys
from pathlib import Path

from synthlearn.core import files
from synthlearn.study import records


def sign(path: Path) -> bool:
    """Whether the file is a record or a benchmark that had no digest, and now has one."""
    content = files.read_json(path)
    if "digest" in content:
        return False
    if "spec" in content and files.digest(content["spec"]) == content["id"]:
        records.write_json(path, content)
        return True
    if path.parent.name == "benchmarks":
        files.write_with_digest(path, content)
        return True
    return False


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]] or sorted(
        (files.root() / "results").rglob("*.json")
    )
    print(f"{sum(map(sign, given))} of {len(given)} files signed")
