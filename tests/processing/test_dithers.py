"""Two exposures of a field, one beside the other and turned: the same stars are kept from their fits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from rapid.processing.psf_field import fit_field
from rapid.processing.reserve import RESERVED, reserved_stars
from tests.support.dithers import Exposed, exposed

HERE, THERE = (0.0, 0.0, 10.0), (18.0, -11.0, 10.7)
MATCHED = 3.0
"""Distance [pixel] within which a source is a star of the field: a third of the seeing."""


def used(exposure: Exposed) -> dict[int, bool]:
    """Tell of the stars of the field that were used whether they were reserved."""
    sources = exposure.study.sources
    assert sources is not None
    assert sources.reserved is not None
    distance, star = cKDTree(np.column_stack([exposure.x, exposure.y])).query(np.column_stack([sources.x, sources.y]))
    sure = sources.star & (distance < MATCHED)
    return dict(zip(star[sure].tolist(), sources.reserved[sure].tolist(), strict=True))


def test_the_same_stars_are_reserved_wherever_they_fall_on_the_detector() -> None:
    """Their places are known to 0.02 arcsec, a cell has 10: one star in 250 may change cells."""
    here, there = used(exposed(*HERE)), used(exposed(*THERE))
    both = sorted(here.keys() & there.keys())
    assert len(both) > 100
    kept = [star for star in both if here[star]]
    assert len(kept) == pytest.approx(RESERVED * len(both), abs=4 * np.sqrt(RESERVED * (1 - RESERVED) * len(both)))
    assert sum(here[star] != there[star] for star in both) <= 1


def test_by_their_places_on_the_detector_they_would_be_others() -> None:
    """Without a catalogue nothing else is known: that the test above can fail is seen here."""
    here, there = used(exposed(*HERE, compared=False)), used(exposed(*THERE, compared=False))
    both = here.keys() & there.keys()
    assert sum(here[star] != there[star] for star in both) > 5


def test_the_model_of_the_field_is_fitted_without_the_reserved_ones() -> None:
    exposure = exposed(*HERE)
    sources, psf, comparison = exposure.study.sources, exposure.study.psf, exposure.study.comparison
    assert sources is not None
    assert sources.reserved is not None
    assert psf is not None
    assert psf.field is not None
    assert comparison is not None
    assert psf.field.n_reserved == sources.reserved.sum()
    assert psf.field.n_stars <= (sources.star & ~sources.reserved).sum()
    assert np.array_equal(sources.reserved, reserved_stars(sources, comparison.astrometry.wcs))
    assert not (sources.reserved & ~sources.star).any()
    assert not sources.reserved.flags.writeable
    # what the reserved ones look like does not matter to the model
    xx = np.where(sources.reserved, 2 * sources.xx, sources.xx)
    spoilt = fit_field(type(sources)(**{n: getattr(sources, n) for n in sources.__slots__} | {"xx": xx}), (4000, 2036))
    assert spoilt is not None
    plain = fit_field(sources, (4000, 2036))
    assert plain is not None
    np.testing.assert_array_equal(spoilt.coefficients, plain.coefficients)
    assert spoilt.offset[1] > plain.offset[1] + 0.2
