"""``python -m rapid`` is ``rapid``."""

from rapid.cli import main

if __name__ == "__main__":
    main()
