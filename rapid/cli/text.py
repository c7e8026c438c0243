"""Text from outside, on a terminal."""

from __future__ import annotations

__all__ = ["shown"]


def shown(text: str, *, lines: bool = False) -> str:
    """Write what came from outside so that it cannot move the cursor or colour the terminal.

    Parameters
    ----------
    lines
        Keep line breaks and tabs.
    """
    kept = "\n\t" if lines else ""
    return "".join(sign if sign.isprintable() or sign in kept else f"\\x{ord(sign):02x}" for sign in text)
