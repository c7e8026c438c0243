"""Put results on show: pictures and catalogues first, the row last. The row is the promise that everything it names is there.

What is written depends on the outcome alone, so a replay of a night writes the same bytes under the same keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from rapid.errors import RapidError
from rapid.ports import EncodedCatalogue, EncodedPicture, JsonValue, Outcome, Row, Store
from rapid.tv.documents import json_bytes
from rapid.tv.keys import (
    MEDIA_TYPES,
    CatalogueKey,
    PictureKey,
    SidecarKey,
    catalogue_key,
    metadata_key,
    picture_key,
    row_key,
    sidecar_key,
)
from rapid.tv.table import night_table

__all__ = ["StoreGallery"]


@dataclass(frozen=True, slots=True)
class StoreGallery:
    """A gallery in a store (`rapid.ports.Gallery`)."""

    store: Store

    async def publish(self, outcome: Outcome) -> Row:
        """Write pictures and catalogues, the sidecars, then the row object; return the row with the keys of the former.

        Raises
        ------
        BadName
            If a camera, channel, catalogue or detector has a name that may not stand in a key; nothing is written.
        RapidError
            As the store raised it; the row object is then not written.
        """
        row = _with_catalogues(_with_channels(outcome.row, outcome.pictures), outcome.catalogues)
        sidecars = {_sidecar(row, p): json_bytes(p.sidecar) for p in outcome.pictures if p.sidecar}
        promise = json_bytes(_document(row, outcome.columns))
        pictures = [(row.channels[picture.channel], picture.body) for picture in outcome.pictures]
        tables = [(row.catalogues[catalogue.name], catalogue.body) for catalogue in outcome.catalogues]
        await self._put_all(pictures + tables)
        await self._put_all(sidecars.items())
        await self._put_all([(row_key(row.camera, row.day_obs, row.seq_num, row.detector_name), promise)])
        return row

    async def publish_night(
        self,
        camera: str,
        day_obs: int,
        columns: Mapping[str, Mapping[str, str]],
        entries: Sequence[Mapping[str, JsonValue]],
    ) -> None:
        """Write the table of a night in RubinTV's own form."""
        await self._put_all([(metadata_key(camera, day_obs), json_bytes(night_table(columns, entries)))])

    async def _put_all(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Write objects at once; the first failure ends the others and is raised as itself."""
        try:
            async with asyncio.TaskGroup() as group:
                for key, body in objects:
                    media_type = MEDIA_TYPES[key.rpartition(".")[2]]
                    group.create_task(self.store.put(key, body, media_type=media_type))
        except* RapidError as failed:
            first = _first(failed)
        else:
            return
        raise first


def _with_channels(row: Row, pictures: Sequence[EncodedPicture]) -> Row:
    channels = {
        picture.channel: picture_key(
            PictureKey(row.camera, row.day_obs, picture.channel, row.seq_num, picture.suffix, row.detector_name)
        )
        for picture in pictures
    }
    if len(channels) != len(pictures):
        named = ", ".join(picture.channel for picture in pictures)
        msg = f"{row.obs_id} {row.detector_name}: expected one picture a channel, found {named}"
        raise ValueError(msg)
    return replace(row, channels=channels)


def _with_catalogues(row: Row, catalogues: Sequence[EncodedCatalogue]) -> Row:
    keys = {
        catalogue.name: catalogue_key(
            CatalogueKey(row.camera, row.day_obs, row.seq_num, row.detector_name, catalogue.name)
        )
        for catalogue in catalogues
    }
    if len(keys) != len(catalogues):
        named = ", ".join(catalogue.name for catalogue in catalogues)
        msg = f"{row.obs_id} {row.detector_name}: expected catalogues of different names, found {named}"
        raise ValueError(msg)
    return replace(row, catalogues=keys)


def _sidecar(row: Row, picture: EncodedPicture) -> str:
    return sidecar_key(SidecarKey(row.camera, row.day_obs, row.seq_num, row.detector_name, picture.channel))


def _document(row: Row, columns: Mapping[str, Mapping[str, str]]) -> dict[str, object]:
    """Make a row that explains itself: with what its columns mean."""
    return {field.name: getattr(row, field.name) for field in fields(row)} | {"columns": columns}


def _first(group: BaseExceptionGroup[RapidError]) -> RapidError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, RapidError)  # noqa: S101 -- except* lets nothing else through
    return error
