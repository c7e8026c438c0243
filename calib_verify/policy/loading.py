"""Policies that come with the package, and others from YAML."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

import yaml
from pydantic import ValidationError

from calib_verify.policy.schema import Policy
from rapid.errors import ConfigError

__all__ = ["load_policy", "parse_policy", "policies"]


def policies() -> tuple[Policy, ...]:
    """Return the policies that come with the package, by name, newest version first."""
    place = files("calib_verify.policy").joinpath("data")
    found = [
        _parse(each.read_text(encoding="utf-8"), each.name) for each in place.iterdir() if each.name.endswith(".yaml")
    ]
    return tuple(sorted(found, key=lambda one: (one.name, -one.version)))


def load_policy(name: str, *, on: date | None = None) -> Policy:
    """Return the newest version of a policy that comes with the package and was valid on a day (any, when left out).

    Raises
    ------
    ConfigError
        If there is none.
    """
    known = policies()
    for policy in known:
        if policy.name == name and (on is None or policy.valid_from <= on):
            return policy
    names = ", ".join(f"{one.name} (from {one.valid_from})" for one in known)
    raise ConfigError(f"no such policy{f' on {on}' if on else ''}; expected one of {names}; found {name!r}")


def parse_policy(text: str, *, name: str) -> Policy:
    """Read a policy from YAML.

    Raises
    ------
    ConfigError
        If it is not YAML, or no policy; the message names the field.
    """
    return _parse(text, name)


def _parse(text: str, name: str) -> Policy:
    try:
        return Policy.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "policy"
        raise ConfigError(f"{name}: {where}: {first['msg']}; found {str(first['input'])[:80]!r}") from error
