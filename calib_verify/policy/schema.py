"""A policy as data: criteria, how frames make a run, and which flaws of the original are kept.

The files are YAML and are checked whole: an unknown word, quantity or flaw is an error, not an omission.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from calib_verify.measurements import QUANTITIES, Level
from rapid.errors import ConfigError

__all__ = ["Acceptance", "Criterion", "Flaw", "Policy", "RunRule", "Statistic"]

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Kind = Literal["bias", "dark", "flat"]
Statistic = Literal["value", "ratio", "relative_excess", "magnitude_below", "poisson_bound", "z_score", "processed"]


class _Door(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Criterion(_Door):
    """One thing that is judged.

    Attributes
    ----------
    name
        Unique for a kind and level.
    kinds, level
        What it applies to.
    statistic
        ``value``: the quantity itself.
        ``ratio``: quantity / reference.
        ``relative_excess``: (quantity - reference) / reference.
        ``magnitude_below``: the quantity, which must be nearer to 0 than the reference, strictly.
        ``poisson_bound``: the quantity, at most the square root of the reference plus the square of ``plus``.
        ``z_score``: (quantity - expected) over its uncertainty, that of what is expected, and ``floor``.
        ``processed``: whether the frame could be measured at all.
    quantity, reference, plus
        Names of quantities.
    expected
        ``baseline``, or a number, for a z_score; ``baseline`` as the reference of a relative excess.
    floor
        Systematic error that no statistics beats, in the unit of the quantity.
    low, high, warn_low, warn_high
        Limits of the statistic, inclusive; beyond the inner pair it warns, beyond the outer one it fails.
    beyond
        What a value beyond the outer limits is: FAIL or WARN.
    missing
        What it is when a value is missing. FAIL makes it a plain test that knows no doubt: uncertainties do not count either.
    optional
        Whether it is judged only on frames on which its quantity was looked for, as pairs of flats are on every other one.
    counts
        False for one that only informs.
    chance
        Whether its probability takes part in the control of false discoveries over a run.
    reason, citation
        Why it is judged, and whose criterion it is.
    """

    name: Text
    kinds: tuple[Kind, ...] = Field(min_length=1)
    level: Level = Level.AMPLIFIER
    statistic: Statistic
    quantity: str = ""
    reference: str = ""
    plus: str = ""
    expected: Literal["baseline"] | float | None = None
    floor: float = Field(default=0.0, ge=0)
    low: float | None = None
    high: float | None = None
    warn_low: float | None = None
    warn_high: float | None = None
    beyond: Literal["FAIL", "WARN"] = "FAIL"
    missing: Literal["FAIL", "INCONCLUSIVE"] = "INCONCLUSIVE"
    optional: bool = False
    counts: bool = True
    chance: bool = False
    reason: Text
    citation: Text

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in (self.quantity, self.reference, self.plus):
            if name and name not in QUANTITIES:
                msg = f"no such quantity: {name!r}"
                raise ValueError(msg)
        if self.statistic != "processed":
            self._check_quantity()
        if self.chance and self.statistic != "z_score":
            msg = "only a z_score has a probability"
            raise ValueError(msg)
        return self

    def _check_quantity(self) -> None:
        if not self.quantity:
            msg = f"{self.statistic} needs a quantity"
            raise ValueError(msg)
        if QUANTITIES[self.quantity].level is not self.level:
            msg = f"{self.quantity} is not measured at the level of the {self.level}"
            raise ValueError(msg)
        if (
            self.statistic in {"value", "ratio", "relative_excess", "z_score"}
            and self.low is None
            and self.high is None
        ):
            msg = f"{self.statistic} needs a limit"
            raise ValueError(msg)
        needs_reference = self.statistic in {"ratio", "magnitude_below", "poisson_bound"} or (
            self.statistic == "relative_excess" and self.expected != "baseline"
        )
        if needs_reference and not self.reference:
            msg = f"{self.statistic} needs a reference"
            raise ValueError(msg)
        if self.statistic == "z_score" and self.expected is None:
            msg = "z_score needs something expected"
            raise ValueError(msg)
        limits = [each for each in (self.low, self.warn_low, self.warn_high, self.high) if each is not None]
        if limits != sorted(limits):
            msg = "limits must rise: low, warn_low, warn_high, high"
            raise ValueError(msg)


class Acceptance(_Door):
    """The summit's rule for a run: how many failures of one test make an exposure bad, how many of those reject the run.

    Attributes
    ----------
    threshold
        Failures of one test that a detector may not reach.
    detectors
        How many detectors a camera counts.
    counts_success
        Whether the entry that says how the run went is counted as an exposure.
    exposure_level_hides
        Whether failures of amplifiers and detectors are forgotten where an exposure has a test of its own.
    """

    threshold: int = Field(ge=1)
    detectors: Mapping[str, int]
    counts_success: bool
    exposure_level_hides: bool


class RunRule(_Door):
    """How the frames of a run are judged together.

    Attributes
    ----------
    false_discovery_rate
        Share of false alarms among the alarms that chance alone may make (Benjamini & Hochberg 1995).
    consecutive, share
        A failure that persists over so many exposures in a row, or this share of all, fails the run; otherwise it warns.
    expected
        Exposures a run has, by kind; None where any number will do.
    """

    false_discovery_rate: float = Field(gt=0, lt=1)
    consecutive: int = Field(ge=2)
    share: float = Field(gt=0, le=1)
    expected: Mapping[Kind, int] = Field(default_factory=dict)


class Flaw(_Door):
    """A fault of the original that is kept, and what its correction changes.

    ``criteria`` and ``acceptance`` are the fields that are other once it is corrected, by the name of the criterion.
    """

    id: Text
    what: Text
    citation: Text
    criteria: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    acceptance: Mapping[str, Any] = Field(default_factory=dict)


class Policy(_Door):
    """Criteria with a date and somebody who answers for them.

    ``acceptance`` or ``run`` says how a run is judged; exactly one of them is there. ``corrected`` are the flaws that were
    switched off.
    """

    name: Text
    version: int = Field(ge=1)
    valid_from: date
    author: Text
    reason: Text
    citation: Text
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    acceptance: Acceptance | None = None
    run: RunRule | None = None
    flaws: tuple[Flaw, ...] = ()
    corrected: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What a verdict names: name, version and the flaws that were corrected."""
        return f"{self.name}/{self.version}" + "".join(f"-{flaw}" for flaw in self.corrected)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.acceptance is None) == (self.run is None):
            msg = "a run is judged by acceptance or by run, one of them"
            raise ValueError(msg)
        seen = [(one.name, kind, one.level) for one in self.criteria for kind in one.kinds]
        if len(seen) != len(set(seen)):
            msg = "two criteria of one name for the same kind and level"
            raise ValueError(msg)
        for flaw in self.flaws:
            self._check_flaw(flaw)
        return self

    def _check_flaw(self, flaw: Flaw) -> None:
        if flaw.acceptance and self.acceptance is None:
            msg = f"flaw {flaw.id}: there is no acceptance to correct"
            raise ValueError(msg)
        for label in flaw.criteria:
            if label not in {_label(one) for one in self.criteria}:
                msg = f"flaw {flaw.id}: no such criterion: {label!r}"
                raise ValueError(msg)

    def without(self, flaws: Iterable[str]) -> Policy:
        """Return the policy with some of its flaws corrected.

        Raises
        ------
        ConfigError
            If it has no such flaw.
        """
        policy = self
        for name in flaws:
            policy = policy._corrected(name)
        return policy

    def _corrected(self, name: str) -> Policy:
        flaw = next((one for one in self.flaws if one.id == name), None)
        if flaw is None:
            known = ", ".join(one.id for one in self.flaws) or "none"
            raise ConfigError(f"policy {self.name} has no such flaw; expected one of {known}; found {name!r}")
        content = self.model_dump()
        for criterion, one in zip(content["criteria"], self.criteria, strict=True):
            criterion.update(flaw.criteria.get(_label(one), {}))
        if content["acceptance"] is not None:
            content["acceptance"].update(flaw.acceptance)
        content["flaws"] = [each for each in content["flaws"] if each["id"] != name]
        content["corrected"] = (*self.corrected, name)
        return type(self).model_validate(content)


def _label(criterion: Criterion) -> str:
    """Name a criterion so that it can be found: ``bias,dark amplifier NOISE``."""
    return f"{','.join(criterion.kinds)} {criterion.level} {criterion.name}"
