"""An exposure as its header describes it."""

from __future__ import annotations

from dataclasses import dataclass

from rapid.processing.ids import detector_exposure_id, visit_id

__all__ = ["ExposureInfo"]


@dataclass(frozen=True, slots=True)
class ExposureInfo:
    """What the header of one raw file says, translated and corrected.

    None means that the header does not say. Times are ISO 8601 strings in **TAI**, without a zone; angles are
    degrees. The terms are those of the observatory's own header translator.

    Attributes
    ----------
    instrument, telescope
        ``LATISS``, ``LSSTCam`` or ``LSSTComCam``; ``Simonyi Survey Telescope``.
    obs_id, day_obs, seq_num, controller
        ``AT_O_20260315_000051``, 20260315, 51, ``O``.
    day_obs_offset
        How long after midnight (TAI) a day_obs begins [s]: 43200 at the summit, other values in the laboratory.
    exposure_id
        day_obs followed by five digits of seq_num, with 10 000 000 added to day_obs per step of the controller
        in ``OCHPQS``; see `rapid.processing.ids`.
    detector, detector_name
        Number within the camera, and ``R22_S11`` as it stands in the file's name.
    detector_group, detector_serial
        The raft, ``RXX`` for the only detector of LATISS; ``ITL-3800C-068``.
    begin_tai, end_tai
        Begin and end of the exposure (shutter close). For a guider, the begin of guiding and not before the end of it.
    exposure_time, exposure_time_requested, dark_time
        Seconds; `exposure_time` is measured by the shutter where there is one that measures. A guider's file has none: there
        it is the time spent on all stamps, and nothing was requested. NaN where the header does not say, which only a
        guider and LATISS under its own control may.
    observation_type, observation_reason
        Lower case: ``bias``, ``dark``, ``flat``, ``science``, ``cwfs``, ``focus``, ``acq``, ``engtest`` ...
    physical_filter, band, disperser
        ``SDSSr_65mm~empty``, ``r``, ``holo4_003`` or ``empty``; the disperser of a camera without a wheel for it is ``""``.
    group, group_counter_start, group_counter_end
        Name of the group of exposures, and the seq_num of its first and its last.
    ra, dec, tracking_frame
        Tracking position, ICRS degrees, and the frame in which the header gives it: ``icrs`` or ``fk5``.
    azimuth, elevation, airmass
        At the begin of the exposure; azimuth from north through east.
    azimuth_end, elevation_end
        At its end.
    rotator_angle, rotator_coord
        Boresight rotation angle [deg], and what it refers to: ``sky``, or ``unknown`` off the sky.
    location
        Of the telescope, geocentric (ITRF) x, y, z [m]; None in the laboratory.
    focus_z
        Focus offset [mm].
    temperature, pressure, humidity
        Of the air outside: degree Celsius, Pa, percent.
    dimm_seeing
        Of the site's monitor [arcsec].
    on_sky, can_see_sky
        Pointing at the sky at all; shutter and dome open (None: not known).
    vignetting
        Least vignetting by the dome: ``NO``, ``PARTIALLY``, ``FULLY``, ``UNKNOWN``.
    simulated
        Whether any part of it is simulated.
    """

    instrument: str
    telescope: str
    obs_id: str
    day_obs: int
    day_obs_offset: float
    seq_num: int
    controller: str
    exposure_id: int
    detector: int
    detector_name: str
    detector_group: str
    detector_serial: str | None
    begin_tai: str
    end_tai: str
    exposure_time: float
    exposure_time_requested: float | None
    dark_time: float
    observation_type: str
    observation_reason: str
    physical_filter: str
    band: str
    disperser: str
    object: str
    program: str
    group: str
    group_counter_start: int
    group_counter_end: int
    ra: float | None
    dec: float | None
    tracking_frame: str | None
    azimuth: float | None
    elevation: float | None
    azimuth_end: float | None
    elevation_end: float | None
    airmass: float | None
    rotator_angle: float | None
    rotator_coord: str
    location: tuple[float, float, float] | None
    focus_z: float | None
    temperature: float | None
    pressure: float | None
    humidity: float | None
    dimm_seeing: float | None
    on_sky: bool
    can_see_sky: bool | None
    vignetting: str | None
    simulated: bool

    @property
    def visit_id(self) -> int:
        """Number of the visit this exposure belongs to, made of its group.

        Raises
        ------
        BadHeader
            If the group's name is not ASCII.
        """
        return visit_id(self.group)

    @property
    def detector_exposure_id(self) -> int:
        """Number of this detector's part of the exposure.

        Raises
        ------
        BadHeader
            If the seq_num or the day does not fit into it.
        """
        return detector_exposure_id(self.exposure_id, self.detector)
