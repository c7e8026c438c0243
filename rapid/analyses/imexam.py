"""The brightest star of a frame in nine panels, and every number in them.

After the observatory's own image examiner, with these of its flaws put right:

- the count of pixels that share the maximum is what it says (it was inverted);
- calibration frames have no such picture, and a frame without a star says so on the picture;
- the frame is never changed, whatever happens;
- the star is unsaturated where there is one, and a saturated one is measured without its core and marked suspect;
- the centre is refined with light, not set to the brightest pixel, and masked pixels do not push it;
- a star at the edge keeps its place: the cut-out is cut, not moved, and the encircled energy is made up for;
- neighbours are left out of all measurements;
- the sky under the star is measured and taken off before light is summed up, so that the encircled energy converges;
- the profile is fitted with photon weights by a Moffat function as well as a Gaussian, with an uncertainty;
- what is not a number is a reason, never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

from rapid.analyses.examination import Examination, examine
from rapid.analyses.nine_panels import CHANNEL, nine_panels, no_star_panels
from rapid.analyses.overview import calibration
from rapid.analyses.profiles import Profile
from rapid.analyses.star import NoStar
from rapid.analyses.star_numbers import missing_findings, star_findings, star_numbers, text_rows, written
from rapid.processing.exposure import ExposureInfo
from rapid.processing.findings import Picture, Result
from rapid.processing.frame import Study

__all__ = ["Imexam", "analysis"]


@dataclass(frozen=True, slots=True)
class Imexam:
    """The brightest real star: where it is, how wide, where its light is.

    The picture goes to channel ``imexam``; the numbers written on it, and the curves drawn in it, to the sidecar.
    """

    name: str = "imexam"
    version: int = 2

    def applies(self, info: ExposureInfo) -> bool:
        """Return True unless the frame is a bias, dark or flat: those show no stars."""
        return not calibration(info.observation_type)

    def run(self, study: Study) -> Result:
        """Measure the star. Without one every finding is missing, with the reason, and the picture says it too."""
        exam = examine(study)
        if isinstance(exam, NoStar):
            picture = Picture(CHANNEL, "no star", no_star_panels(study, exam.reason), columns=2)
            return Result(missing_findings(exam.reason), (picture,), {"no_star": exam.reason})
        numbers = star_numbers(exam, study.frame.detector.pixel_scale)
        panels = nine_panels(study, exam, text_rows(numbers, exam.doubt))
        return Result(
            star_findings(numbers, exam.doubt),
            (Picture(CHANNEL, "brightest star", panels, columns=3),),
            {**written(numbers), **_drawn(exam), "doubt": exam.doubt, "misfit": exam.misfit},
        )


def _drawn(exam: Examination) -> dict[str, object]:
    """Return what the curves of the panels are: encircled energy, fitted profiles, and the place of the cut-out."""
    drawn: dict[str, object] = {
        "cutout_x0_pixel": exam.cutout.x0,
        "cutout_y0_pixel": exam.cutout.y0,
        "cutout_half_pixel": exam.cutout.half,
        "energy_radius_pixel": exam.radii.tolist(),
        "energy_electron": exam.growth.tolist(),
    }
    for name, fit in (("moffat", exam.moffat), ("gaussian", exam.gaussian)):
        if isinstance(fit, Profile):
            drawn |= {
                f"{name}_amplitude_electron": fit.amplitude,
                f"{name}_background_electron": fit.background,
                f"{name}_fwhm_pixel": fit.fwhm,
                f"{name}_reduced_chi2": fit.chi2,
            }
    return drawn


analysis = Imexam()
