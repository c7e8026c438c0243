"""The structure of a FITS file: where its headers and data are.

Only the cards that say how large things are are looked at here. Nothing is allocated on the word of a header: a size is
compared with what there is before anybody uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from rapid.errors import BadLayout, NotFits, TruncatedFile

__all__ = ["BLOCK", "Card", "Hdu", "Read", "walk"]

BLOCK: Final = 2880
"""FITS files are made of blocks of this many bytes."""

_HEADER_BLOCKS: Final = 400
"""Longest header believed: 14 400 cards. The camera's longest has about 450."""

_HDUS: Final = 4200
"""Most HDUs believed. A raw has 19, a guider file one for each stamp, several in a second."""

_CARD: Final = 80
_FIRST: Final = b"SIMPLE  ="
_NEXT: Final = b"XTENSION="

Card = bool | int | float | str | None
Read = Callable[[int, int], bytes]
"""Give up to this many bytes from this offset."""


@dataclass(frozen=True, slots=True)
class Hdu:
    """One header and data unit.

    Attributes
    ----------
    index
        0 for the primary one.
    header_start, data_start, data_size, end
        Offsets and size [bytes]; `end` includes the padding to a full block.
    cards
        Values of the structural cards, EXTNAME, and the few that tell kinds of files apart; text as it is, numbers as numbers.
    """

    index: int
    header_start: int
    data_start: int
    data_size: int
    end: int
    cards: Mapping[str, Card]

    @property
    def is_image(self) -> bool:
        """Whether it is an image with two axes, compressed or not."""
        if self.cards.get("ZIMAGE") is True:
            return self.cards.get("ZNAXIS") == 2
        return self.cards.get("XTENSION") == "IMAGE" and self.cards.get("NAXIS") == 2

    @property
    def is_compressed(self) -> bool:
        """Whether it is a tile-compressed image."""
        return self.cards.get("ZIMAGE") is True

    @property
    def image_shape(self) -> tuple[int, int]:
        """Shape (ny, nx) of the image once it is decompressed."""
        z = "Z" if self.is_compressed else ""
        return self.number(f"{z}NAXIS2"), self.number(f"{z}NAXIS1")

    @property
    def extname(self) -> str:
        """EXTNAME, or ``HDU n``."""
        name = self.cards.get("EXTNAME")
        return name.strip() if isinstance(name, str) and name.strip() else f"HDU {self.index}"

    def number(self, keyword: str, default: int = -1) -> int:
        """Value of a whole-number card; `default` where there is none."""
        value = self.cards.get(keyword)
        return value if isinstance(value, int) and not isinstance(value, bool) else default


def walk(read: Read, length: int, *, name: str) -> Iterator[Hdu]:
    """Go through the HDUs of a file by its headers alone.

    Parameters
    ----------
    read
        Gives bytes of the file.
    length
        Size of the whole file [bytes].
    name
        For messages.

    Raises
    ------
    NotFits
        If it does not begin as a FITS file does.
    TruncatedFile
        If it ends before a header or data unit does.
    BadLayout
        If a header gives an impossible size, or something else than an HDU follows the last one.
    """
    _check_beginning(read(0, len(_FIRST)), length, name)
    start = 0
    for index in range(_HDUS):
        hdu = _read_hdu(read, length, start, index, name)
        yield hdu
        start = hdu.end
        if start == length:
            return
    raise BadLayout("too many HDUs", subject=name, expected=f"up to {_HDUS}", found="more")


def _check_beginning(head: bytes, length: int, name: str) -> None:
    if length == 0:
        raise TruncatedFile("the file is empty", subject=name, expected="a FITS file", found="0 bytes")
    if head == _FIRST:
        return
    if _FIRST.startswith(head):
        raise TruncatedFile(
            "the file ends in its first card", subject=name, expected="a FITS file", found=f"{length} bytes"
        )
    raise NotFits("not a FITS file", subject=name, expected="'SIMPLE  =' at its beginning", found=repr(head))


def _read_hdu(read: Read, length: int, start: int, index: int, name: str) -> Hdu:
    cards, data_start = _read_header(read, length, start, index, name)
    size = _data_size(cards, index, name)
    end = data_start + -(-size // BLOCK) * BLOCK
    if end > length:
        raise TruncatedFile(
            f"the data of HDU {index} end too early",
            subject=name,
            expected=f"{end} bytes or more, as its header says",
            found=f"{length} bytes",
        )
    return Hdu(index, start, data_start, size, end, cards)


def _read_header(read: Read, length: int, start: int, index: int, name: str) -> tuple[dict[str, Card], int]:
    cards: dict[str, Card] = {}
    for number in range(_HEADER_BLOCKS):
        offset = start + number * BLOCK
        block = read(offset, BLOCK)
        if number == 0 and index and not block.startswith(_NEXT):
            _refuse_tail(block, offset, index, name)
        if len(block) < BLOCK:
            raise TruncatedFile(
                f"the header of HDU {index} has no end",
                subject=name,
                expected="an END card",
                found=f"the end of the file at {length} bytes",
            )
        if _parse_block(block, cards):
            return cards, offset + BLOCK
    raise BadLayout(
        f"the header of HDU {index} is endless", subject=name, expected=f"at most {_HEADER_BLOCKS} blocks", found="more"
    )


def _refuse_tail(block: bytes, offset: int, index: int, name: str) -> None:
    """Say what is wrong with bytes that are where the next HDU should begin."""
    if _NEXT.startswith(block[: len(_NEXT)]) or not block.strip(b"\0"):
        raise TruncatedFile(
            f"HDU {index} was not written",
            subject=name,
            expected="an extension header",
            found=f"no data from byte {offset}",
        )
    raise BadLayout(
        f"something else than HDU {index} follows",
        subject=name,
        expected="an extension header or the end of the file",
        found=f"{block[:16]!r} at byte {offset}",
    )


def _parse_block(block: bytes, cards: dict[str, Card]) -> bool:
    """Add the cards of one block; True when END was among them."""
    text = block.decode("latin-1")
    for first in range(0, BLOCK, _CARD):
        keyword = text[first : first + 8].rstrip()
        if keyword == "END":
            return True
        if keyword in _STRUCTURAL or keyword.startswith(_STRUCTURAL_STEMS):
            cards.setdefault(keyword, _value(text[first + 8 : first + _CARD]))
    return False


_STRUCTURAL: Final = frozenset(
    {
        "SIMPLE",
        "XTENSION",
        "BITPIX",
        "PCOUNT",
        "GCOUNT",
        "EXTNAME",
        "TFIELDS",
        "THEAP",
        "DATASUM",
        "CHECKSUM",
        "BSCALE",
        "BZERO",
    }
    | {"CCDSLOT", "N_STAMPS", "STMPTIME"}  # what kind of file it is, and when a stamp was taken
)
_STRUCTURAL_STEMS: Final = ("NAXIS", "TFORM", "ZIMAGE", "ZCMPTYPE", "ZBITPIX", "ZNAXIS", "ZTILE", "ZNAME", "ZVAL")


def _value(rest: str) -> Card:
    """Read the value of a card from what follows its keyword. None for a card without one, or one not understood."""
    if not rest.startswith("= "):
        return None
    field = rest[2:].lstrip()
    if field.startswith("'"):
        return _text(field)
    word = field.partition("/")[0].strip()
    if word in {"T", "F"}:
        return word == "T"
    try:
        return int(word) if word.lstrip("+-").isdigit() else float(word)
    except ValueError:
        return None


def _text(field: str) -> str:
    """Read quoted text, in which a quote is written twice."""
    body = field[1:].replace("''", "\0").partition("'")[0]
    return body.replace("\0", "'").rstrip()


def _data_size(cards: Mapping[str, Card], index: int, name: str) -> int:
    """Count the bytes of a data unit (FITS 4.0, equations 1 and 2)."""
    axes = _whole(cards, "NAXIS", index, name, limit=999)
    if axes == 0:
        return 0
    pixels = 1
    for axis in range(1, axes + 1):
        pixels *= _whole(cards, f"NAXIS{axis}", index, name)
    bits = cards.get("BITPIX")
    if bits not in {8, 16, 32, 64, -32, -64} or isinstance(bits, bool | str | None):
        raise _impossible("BITPIX", bits, index, name)
    count = _whole(cards, "GCOUNT", index, name, default=1)
    extra = _whole(cards, "PCOUNT", index, name, default=0)
    return int(abs(bits)) // 8 * count * (extra + pixels)


def _whole(
    cards: Mapping[str, Card], keyword: str, index: int, name: str, *, default: int | None = None, limit: int = 2**40
) -> int:
    value = cards.get(keyword, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
        raise _impossible(keyword, value, index, name)
    return value


def _impossible(keyword: str, value: Card, index: int, name: str) -> BadLayout:
    return BadLayout(
        f"HDU {index} has an impossible {keyword}", subject=name, expected="a size that can be", found=repr(value)
    )
