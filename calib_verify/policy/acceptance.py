"""The summit's rule for a run, as its scripts have it: who is certified although tests failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from calib_verify.policy.schema import Acceptance

__all__ = ["Accepted", "accept"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Whether a run is certified.

    ``success`` when no test failed at all; ``bad_exposures`` those in which one test failed ``needed_failures`` times or more,
    of which ``needed_exposures`` reject the run.
    """

    accepted: bool
    success: bool
    bad_exposures: tuple[int, ...]
    needed_failures: int
    needed_exposures: int

    @property
    def reason(self) -> str:
        """Say in words how it was decided."""
        if self.success:
            return "no test failed"
        return (
            f"{len(self.bad_exposures)} exposures have {self.needed_failures} or more failures of one test, "
            f"{self.needed_exposures} reject the run"
        )


def accept(failures: Mapping[int, Mapping[str, int]], *, detectors: int, rule: Acceptance) -> Accepted:
    """Count the failed tests of a run.

    Parameters
    ----------
    failures
        By exposure, how often each test failed; an exposure without failures is there, empty.
    detectors
        Of the camera.

    Notes
    -----
    With N entries, D detectors and the threshold T: an exposure is bad when one test fails T (int(D/2) + 1) times, a run is
    rejected when int(N/2) + 1 exposures are. N counts the run's own entry as well (lsst-ts/ts_externalscripts,
    ``count_failed_verification_tests``).
    """
    entries = len(failures) + rule.counts_success
    needed_exposures = int(entries / 2) + 1
    needed_failures = rule.threshold * (int(detectors / 2) + 1)
    bad = sorted(
        exposure for exposure, counts in failures.items() if any(n >= needed_failures for n in Counter(counts).values())
    )
    success = not any(n for counts in failures.values() for n in counts.values())
    return Accepted(success or len(bad) < needed_exposures, success, tuple(bad), needed_failures, needed_exposures)
