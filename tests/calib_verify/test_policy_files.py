"""Policies and waivers as files: checked whole, refused with the field that is wrong."""

from __future__ import annotations

from datetime import date

import astropy.units as u
import pytest
import yaml

from calib_verify.measurements import QUANTITIES
from calib_verify.policy import load_policy, parse_policy, parse_waivers, policies
from rapid.errors import ConfigError

SOUND = """
name: mine
version: 1
valid_from: 2026-03-01
author: somebody
reason: to try
citation: none
criteria:
  - {name: LEVEL, kinds: [bias], statistic: value, quantity: mean, low: -3, high: 3, reason: r, citation: c}
run: {false_discovery_rate: 0.01, consecutive: 2, share: 0.2}
"""


def changed(**changes: object) -> str:
    content = yaml.safe_load(SOUND)
    for path, value in changes.items():
        if path.startswith("criterion_"):
            content["criteria"][0][path.removeprefix("criterion_")] = value
        else:
            content[path] = value
    return yaml.safe_dump(content)


def test_both_policies_ship_and_say_who_answers_for_them() -> None:
    assert [one.name for one in policies()] == ["lsst-compat", "standard"]
    for policy in policies():
        assert policy.author
        assert policy.valid_from <= date(2026, 6, 1)
        assert all(one.reason and one.citation for one in policy.criteria)


def test_a_policy_is_valid_from_its_day_on() -> None:
    assert load_policy("lsst-compat", on=date(2026, 4, 22)).name == "lsst-compat"
    with pytest.raises(
        ConfigError, match=r"no such policy on 2026-04-21; expected one of lsst-compat \(from 2026-04-22\)"
    ):
        load_policy("lsst-compat", on=date(2026, 4, 21))
    with pytest.raises(ConfigError, match="found 'best'"):
        load_policy("best")


def test_a_sound_policy_is_read() -> None:
    policy = parse_policy(SOUND, name="mine.yaml")
    assert policy.identity == "mine/1"
    assert policy.criteria[0].missing == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"author": ""}, "mine.yaml: author: .*at least 1 character"),
        ({"colour": "red"}, "mine.yaml: colour: Extra inputs"),
        ({"valid_from": "soon"}, "mine.yaml: valid_from: "),
        ({"run": None}, "a run is judged by acceptance or by run, one of them"),
        ({"criteria": []}, "mine.yaml: criteria: "),
        ({"criterion_quantity": "meen"}, "no such quantity: 'meen'"),
        ({"criterion_quantity": ""}, "value needs a quantity"),
        ({"criterion_level": "detector"}, "mean is not measured at the level of the detector"),
        ({"criterion_kinds": ["science"]}, r"criteria\.0\.kinds\.0: .*'bias', 'dark' or 'flat'"),
        ({"criterion_low": 4}, "limits must rise"),
        ({"criterion_warn_high": 4}, "limits must rise"),
        ({"criterion_low": None, "criterion_high": None}, "value needs a limit"),
        ({"criterion_statistic": "ratio"}, "ratio needs a reference"),
        ({"criterion_statistic": "magnitude_below"}, "magnitude_below needs a reference"),
        ({"criterion_statistic": "z_score"}, "z_score needs something expected"),
        ({"criterion_chance": True}, "only a z_score has a probability"),
        ({"criterion_statistic": "guess"}, r"criteria\.0\.statistic: "),
        (
            {"flaws": [{"id": "x", "what": "w", "citation": "c", "criteria": {"bias amplifier NOPE": {}}}]},
            "no such criterion",
        ),
        (
            {"flaws": [{"id": "x", "what": "w", "citation": "c", "acceptance": {"threshold": 2}}]},
            "no acceptance to correct",
        ),
    ],
)
def test_a_policy_with_a_fault_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_policy(changed(**changes), name="mine.yaml")


def test_criteria_of_one_name_are_refused() -> None:
    content = yaml.safe_load(SOUND)
    content["criteria"] *= 2
    with pytest.raises(ConfigError, match="two criteria of one name"):
        parse_policy(yaml.safe_dump(content), name="mine.yaml")


@pytest.mark.parametrize("text", ["{", "- 1\n- 2", "5", ""])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^mine\.yaml: "):
        parse_policy(text, name="mine.yaml")


WAIVER = "- {instrument: LATISS, amplifier: C04, owner: me, reason: known, issued: 2026-01-01, expires: 2026-06-01}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WAIVER.replace("owner: me, ", ""), r"w\.yaml: 0\.owner: Field required"),
        (WAIVER.replace("reason: known", 'reason: " "'), r"0\.reason"),
        (WAIVER.replace("expires: 2026-06-01", "expires: 2025-06-01"), "expires after it was issued"),
        (WAIVER.replace("expires: 2026-06-01", "expires: 2028-06-01"), "within 366 days"),
        (WAIVER.replace("amplifier: C04, ", ""), "names a detector, an amplifier or a criterion"),
        ("[", "not YAML"),
        ("5", "w.yaml: waivers: "),
    ],
)
def test_a_waiver_nobody_answers_for_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_waivers(text, name="w.yaml")


def test_waivers_are_read() -> None:
    (one,) = parse_waivers(WAIVER, name="w.yaml")
    assert (one.detector, one.amplifier, one.criterion, one.owner) == ("*", "C04", "*", "me")
    assert parse_waivers("", name="w.yaml") == ()


def test_every_quantity_is_defined() -> None:
    for name, quantity in QUANTITIES.items():
        assert quantity.name == name
        u.Unit(quantity.unit)
        assert quantity.region
        assert quantity.definition.endswith(".")
        assert quantity.source


def test_every_quantity_that_is_judged_is_measured_somewhere() -> None:
    for policy in policies():
        for one in policy.criteria:
            assert one.statistic == "processed" or one.quantity in QUANTITIES
