"""Write the contracts as JSON Schema, one file each: ``python tools/make_schemas.py docs/schemas``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rapid.announce import messages
from rapid.consumers.decoders import contract


def main(directory: Path) -> None:
    """Write what may be announced to rapid, and what rapid tells."""
    for name, schema in (contract.json_schemas() | messages.json_schemas()).items():
        (directory / name).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
