"""Who an exposure is: obs_id, day_obs, seq_num and controller."""

from __future__ import annotations

from rapid.errors import BadHeader
from rapid.processing.headers.cards import Cards, bad_card, whole, word
from rapid.processing.ids import CONTROLLERS, ExposureName, exposure_id, parse_obs_id

__all__ = ["fill_identity", "identity_of"]


def fill_identity(cards: dict[str, object], name: str) -> str | None:
    """Fill OBSID, DAYOBS and SEQNUM from the names a header or file carries, where they are missing; return the obs_id."""
    places = (cards.get("OBSID"), cards.get("IMGNAME"), cards.get("FILENAME"), name)
    parts = next((found for place in places if (found := parse_obs_id(str(place or "")))), None)
    if parts is None:
        return None
    if not cards.get("OBSID"):
        cards["OBSID"] = parts.obs_id
    if not cards.get("DAYOBS"):
        cards["DAYOBS"] = str(parts.day_obs)
    if cards.get("SEQNUM") is None:
        cards["SEQNUM"] = parts.seq_num
    return parts.obs_id


def identity_of(cards: Cards, name: str, code: str) -> tuple[ExposureName, int]:
    """Read who the exposure is, and its number.

    A header that contradicts its own obs_id is refused, but not one that the camera's own control system (``C``) wrote:
    in the laboratory its day could be set by hand, and there DAYOBS decides, as in the observatory's archive.

    Raises
    ------
    BadHeader
        If a card is missing or impossible, or the header contradicts itself.
    """
    parts = parse_obs_id(word(cards, "OBSID") or "")
    if parts is None:
        raise bad_card(name, "OBSID", f"{code}_O_YYYYMMDD_NNNNNN", cards.get("OBSID"))
    implied = parts.controller if parts.controller in CONTROLLERS else CONTROLLERS[0]
    controller = word(cards, "CONTRLLR") or implied
    day_obs, seq_num = whole(cards, "DAYOBS"), whole(cards, "SEQNUM")
    if day_obs is None or (day_obs != parts.day_obs and controller != "C"):
        raise bad_card(name, "DAYOBS", f"{parts.day_obs} as in OBSID", cards.get("DAYOBS"))
    if seq_num is None or seq_num != parts.seq_num:
        raise bad_card(name, "SEQNUM", f"{parts.seq_num} as in OBSID", cards.get("SEQNUM"))
    identity = ExposureName(parts.obs_id, parts.camera, controller, day_obs, seq_num)
    return identity, _number_of(identity, name)


def _number_of(identity: ExposureName, name: str) -> int:
    try:
        return exposure_id(identity.day_obs, identity.seq_num, identity.controller)
    except BadHeader as error:
        raise BadHeader(error.what, subject=name, expected=error.expected, found=error.found) from error
