"""What a plan may hold: sequences of exposures of each kind, their targets, and what goes wrong in them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rapid.processing.geometry import detectors
from rapid.simulation.passbands import COMCAM_PASSBANDS, DISPERSERS, LSSTCAM_PASSBANDS, PASSBANDS

__all__ = [
    "BiasSequence",
    "Clouds",
    "DarkSequence",
    "DeadAmplifier",
    "DeadDetector",
    "Door",
    "FlatSequence",
    "FocusSequence",
    "Incident",
    "MissingDetector",
    "OnSky",
    "ScienceSequence",
    "Sequence",
    "SpectrumSequence",
    "Target",
    "TruncatedFile",
]

_AMPLIFIERS = tuple(amplifier.name for amplifier in detectors("LATISS")["R00_S00"].amplifiers)
_FILTERS = (*PASSBANDS, *LSSTCAM_PASSBANDS, *COMCAM_PASSBANDS)

Seconds = Annotated[float, Field(ge=0, le=43200)]
Count = Annotated[int, Field(ge=1, le=2000)]
Seeing = Annotated[float, Field(ge=0.3, le=5.0)]
Ellipticity = Annotated[float, Field(gt=-0.7, lt=0.7)]


class Door(BaseModel):
    """A value that comes from outside: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- incidents -----------------------------------------------------------------------------------------------------


class _AnyIncident(Door):
    """Something that happens in a sequence; ``exposures`` counts from 1 within it, and left out means all of them."""

    exposures: tuple[Annotated[int, Field(ge=1)], ...] | None = None


class Clouds(_AnyIncident):
    """Only this fraction of the light comes through."""

    kind: Literal["clouds"]
    transmission: float = Field(gt=0, lt=1)


class DeadAmplifier(_AnyIncident):
    """One amplifier gives a constant level [adu], whatever falls on it; of one detector, or of all that are simulated."""

    kind: Literal["dead_amplifier"]
    amplifier: str
    detector: str | None = None
    level: float = Field(default=2500.0, ge=0, le=262143)

    @field_validator("amplifier")
    @classmethod
    def _known(cls, name: str) -> str:
        return _one_of(name, _AMPLIFIERS, "amplifier")


class DeadDetector(_AnyIncident):
    """All amplifiers of one detector give a constant level [adu]."""

    kind: Literal["dead_detector"]
    detector: str
    level: float = Field(default=2500.0, ge=0, le=262143)


class MissingDetector(_AnyIncident):
    """The files of one detector do not come, whether the camera said that they would or not."""

    kind: Literal["missing_detector"]
    detector: str
    expected: bool = True


class TruncatedFile(_AnyIncident):
    """The file ends after this fraction of its bytes, as if it were complete; of one detector, or of all."""

    kind: Literal["truncated_file"]
    detector: str | None = None
    keep: float = Field(default=0.6, gt=0, lt=1)


Incident = Annotated[
    Clouds | DeadAmplifier | DeadDetector | MissingDetector | TruncatedFile, Field(discriminator="kind")
]


# --- targets and sequences -----------------------------------------------------------------------------------------


class Target(Door):
    """Where the telescope points for a sequence.

    Either ``ra`` and ``dec`` (ICRS), or ``hour_angle`` [h] and ``dec``, which is up at whatever time the night begins.
    ``magnitude`` (Gaia G) puts a star of that ``colour`` (BP - RP) there; ``rotator`` is the position angle on the sky.
    Angles in degrees. ``pixel`` is where on the detector it is to fall; left out, it is the boresight.
    """

    name: str = Field(min_length=1, max_length=40)
    dec: float = Field(ge=-90, le=90)
    ra: float | None = Field(default=None, ge=0, lt=360)
    hour_angle: float | None = Field(default=None, ge=-6, le=6)
    rotator: float = Field(default=0.0, ge=0, lt=360)
    pixel: tuple[float, float] | None = None
    magnitude: float | None = Field(default=None, ge=0, le=20)
    colour: float = Field(default=0.6, ge=-0.6, le=4.0)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.ra is None) == (self.hour_angle is None):
            msg = "give either ra or hour_angle"
            raise ValueError(msg)
        return self


class _AnySequence(Door):
    """Exposures of one kind.

    ``overhead`` [s] passes before the first (slew, filter change), ``pause`` [s] between two, beyond the readout.
    """

    overhead: Seconds = 0.0
    pause: Seconds = 0.0
    program: str = ""
    incidents: tuple[Incident, ...] = ()

    @abstractmethod
    def length(self) -> int:
        """Return the number of exposures."""

    @model_validator(mode="after")
    def _incidents_happen(self) -> Self:
        for number, incident in enumerate(self.incidents):
            late = [n for n in incident.exposures or () if n > self.length()]
            if late:
                msg = f"incidents[{number}].exposures names exposure {late[0]}, the sequence has {self.length()}"
                raise ValueError(msg)
        return self


class _Counted(_AnySequence):
    count: Count

    def length(self) -> int:
        """Return the number of exposures."""
        return self.count


class BiasSequence(_Counted):
    """Readouts without an exposure."""

    kind: Literal["bias"]


class DarkSequence(_Counted):
    """Exposures with the shutter closed."""

    kind: Literal["dark"]
    exposure_time: Seconds


class FlatSequence(_Counted):
    """Exposures of an evenly lit screen; ``level`` [electron] is the mean signal, or one a pair of values to go between."""

    kind: Literal["flat"]
    exposure_time: Seconds
    filter: str
    level: float | tuple[float, float]

    @field_validator("filter")
    @classmethod
    def _known(cls, name: str) -> str:
        return _one_of(name, _FILTERS, "filter")


class OnSky(_AnySequence):
    """What needs the sky.

    ``seeing`` [arcsec] is the FWHM at zenith and 500 nm, or that of the first and the last exposure; ``beta`` the
    Moffat exponent; ``ellipticity`` the two components of the PSF; ``dither`` the radius [arcsec] of the offsets.
    """

    exposure_time: Seconds
    filter: str
    target: Target
    seeing: Seeing | tuple[Seeing, Seeing] = 1.0
    beta: float = Field(default=3.5, ge=1.6, le=10)
    ellipticity: tuple[Ellipticity, Ellipticity] = (0.0, 0.0)
    dither: float = Field(default=0.0, ge=0, le=300)
    focus: float = Field(default=0.0, ge=-2, le=2)

    @field_validator("filter")
    @classmethod
    def _known(cls, name: str) -> str:
        return _one_of(name, _FILTERS, "filter")


class ScienceSequence(OnSky):
    """Direct images of a field."""

    kind: Literal["science"]
    count: Count

    def length(self) -> int:
        """Return the number of exposures."""
        return self.count


class FocusSequence(OnSky):
    """A sweep through focus; ``offsets`` [mm] are those of the hexapod from best focus."""

    kind: Literal["focus"]
    offsets: tuple[Annotated[float, Field(ge=-2, le=2)], ...] = Field(min_length=3)

    def length(self) -> int:
        """Return the number of exposures."""
        return len(self.offsets)


class SpectrumSequence(OnSky):
    """Dispersed images of a target."""

    kind: Literal["spectrum"]
    count: Count
    disperser: str = "holo4_003"

    def length(self) -> int:
        """Return the number of exposures."""
        return self.count

    @field_validator("disperser")
    @classmethod
    def _disperses(cls, name: str) -> str:
        return _one_of(name, DISPERSERS, "disperser")

    @model_validator(mode="after")
    def _has_a_star_in_focus(self) -> Self:
        if self.focus:
            msg = "focus must be 0: a dispersed image is drawn in focus"
            raise ValueError(msg)
        if self.target.magnitude is None:
            msg = "target.magnitude is needed: a spectrum is that of a star"
            raise ValueError(msg)
        return self


Sequence = Annotated[
    BiasSequence | DarkSequence | FlatSequence | ScienceSequence | FocusSequence | SpectrumSequence,
    Field(discriminator="kind"),
]


def _one_of(name: str, known: Collection[str], what: str) -> str:
    if name not in known:
        msg = f"no such {what}: {name!r}; known are {', '.join(known)}"
        raise ValueError(msg)
    return name
