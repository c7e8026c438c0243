"""An exposure as its header describes it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ExposureInfo"]


@dataclass(frozen=True, slots=True)
class ExposureInfo:
    """What the header of one raw file says, translated and corrected.

    None means that the header does not say. Times are ISO 8601 strings in **TAI**, without a zone; angles are
    degrees. The terms are those of the observatory's own header translator.

    Attributes
    ----------
    instrument
        ``LATISS``.
    obs_id, day_obs, seq_num, controller
        ``AT_O_20260315_000051``, 20260315, 51, ``O``.
    exposure_id
        day_obs followed by five digits of seq_num, with 10 000 000 added to day_obs per step of the controller
        in ``OCHPQS``.
    detector, detector_name
        Number within the camera, and ``R00_S00`` as it stands in the file's name.
    begin_tai, end_tai
        Begin and end of the exposure (shutter close).
    exposure_time, dark_time
        Seconds.
    observation_type, observation_reason
        Lower case: ``bias``, ``dark``, ``flat``, ``science``, ``cwfs``, ``focus``, ``acq``, ``engtest`` ...
    physical_filter, band, disperser
        ``SDSSr_65mm~empty``, ``r``, ``holo4_003`` or ``empty``.
    ra, dec
        Tracking position, ICRS degrees.
    azimuth, elevation, airmass
        At the begin of the exposure.
    rotator_angle
        Boresight rotation angle on the sky, degrees.
    focus_z
        Focus offset [mm].
    temperature, pressure, humidity
        Of the air outside: degree Celsius, Pa, percent.
    dimm_seeing
        Of the site's monitor [arcsec].
    on_sky, can_see_sky
        Pointing at the sky at all; shutter and dome open (None: not known).
    """

    instrument: str
    obs_id: str
    day_obs: int
    seq_num: int
    controller: str
    exposure_id: int
    detector: int
    detector_name: str
    begin_tai: str
    end_tai: str
    exposure_time: float
    dark_time: float
    observation_type: str
    observation_reason: str
    physical_filter: str
    band: str
    disperser: str
    object: str
    program: str
    group: str
    ra: float | None
    dec: float | None
    azimuth: float | None
    elevation: float | None
    airmass: float | None
    rotator_angle: float | None
    focus_z: float | None
    temperature: float | None
    pressure: float | None
    humidity: float | None
    dimm_seeing: float | None
    on_sky: bool
    can_see_sky: bool | None
    vignetting: str | None
    simulated: bool
