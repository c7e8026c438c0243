"""Write the contract as JSON Schema: ``python -m rapid.announce.publish docs/schemas``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rapid.announce.messages import json_schemas

__all__ = ["publish"]


def publish(directory: Path) -> None:
    """Write one file for each schema; what else is there stays."""
    for name, schema in json_schemas().items():
        (directory / name).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
