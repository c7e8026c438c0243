"""Headers of LSSTCam and ComCam to be changed card by card."""

from __future__ import annotations

from rapid.processing.exposure import ExposureInfo
from rapid.processing.headers import translate

__all__ = ["CARDS", "LEFT_OUT", "comcam", "info", "on"]

CARDS: dict[str, object] = {
    "INSTRUME": "lsstCam",
    "TELESCOP": "Simonyi Survey Telescope",
    "OBSID": "MC_O_20251001_000051",
    "CONTRLLR": "O",
    "DAYOBS": "20251001",
    "SEQNUM": 51,
    "RAFTBAY": "R22",
    "CCDSLOT": "S11",
    "LSST_NUM": "E2V-CCD250-367",
    "IMGTYPE": "OBJECT",
    "DATE-BEG": "2025-10-02T03:12:44.123",
    "DATE-END": "2025-10-02T03:13:15.345",
    "EXPTIME": 30.0,
    "DARKTIME": 30.95,
    "SHUTTIME": 30.001,
    "FILTER": "r_57",
    "VIGN_MIN": "NO",
}


def info(**cards: object) -> ExposureInfo:
    """Translate the usual header with some cards changed; ``__`` stands for ``-``, and LEFT_OUT takes a card away."""
    changed = CARDS | {key.replace("__", "-"): value for key, value in cards.items()}
    return translate({key: value for key, value in changed.items() if value is not LEFT_OUT}, name="x.fits")


LEFT_OUT = object()


def on(day_obs: int, seq_num: int = 51, **cards: object) -> ExposureInfo:
    """Translate a header of another day; the exposure began at 03:00 of the next morning, more or less."""
    text = str(day_obs)
    begin = f"{text[:4]}-{text[4:6]}-{text[6:]}T23:30:00"
    identity = {"OBSID": f"MC_O_{day_obs}_{seq_num:06d}", "DAYOBS": text, "SEQNUM": seq_num}
    return info(**({"DATE__BEG": begin, "DATE__END": None} | identity | cards))


def comcam(day_obs: int = 20241108, **cards: object) -> ExposureInfo:
    names = {
        "INSTRUME": "ComCam",
        "OBSID": f"CC_O_{day_obs}_000051",
        "RAFTBAY": "R22",
        "CCDSLOT": "S01",
        "FILTER": "g_01",
    }
    return on(day_obs, **(names | cards))
