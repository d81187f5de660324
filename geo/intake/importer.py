"""The import of a layer: read, placed, judged row by row, and written in one command with one ledger event.

Bad rows are listed with their reasons, and nothing is repaired. One of them keeps the whole file out, unless whoever
brings it asks for the good rows alone; the same file again then tells which rows were left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path

from shapely.geometry import Point
from sqlalchemy import select

from geo.commands.zone_touches import touch
from geo.geozones import is_geozones
from geo.intake.archive import sha256_of
from geo.intake.batch import Drafted, Intake, KnownDevice
from geo.intake.columns import left_aside, match
from geo.intake.coordinates import Placement, placement, refuse_offset, refuse_offset_cells
from geo.intake.device_rows import device_events
from geo.intake.geozones import ZoneOf, table_of
from geo.intake.judging import judged, refuse_shape
from geo.intake.kept import kept_rows, moment, told_before
from geo.intake.layers import LAYERS, Layer
from geo.intake.report import Options, Report, RowOutcome
from geo.intake.table import Table
from geo.intake.texts import geojson_table, read_csv, read_json
from geo.intake.vector import SHP_MAGIC, SQLITE_MAGIC, read_geopackage, read_shapefile
from geo.shapes import lon_lat
from schemas.actors import ActorKind
from schemas.ids import new_id, public_id
from schemas.refusals import Refusal, conflict, forbidden, invalid, not_found, refuse
from schemas.roles import Role
from schemas.store.copying import among, copy_in, kind_of
from schemas.store.many import Told
from schemas.store.work import Work
from schemas.tables import (
    Authority,
    Base,
    Device,
    DeviceShare,
    DeviceSite,
    ImportBatch,
    Origin,
    PrivacyZone,
    SupervisionItem,
)
from schemas.words import Coded

__all__ = ["import_layer", "read_table", "refuse_shape"]

# Who is an authority is for those who run the installation to say, and for nobody in it.
_IMPORTERS: dict[str, tuple[Role, ...]] = {
    "authorities": (),
    "zones": (Role.DATA_ADMIN, Role.UNIT_HEAD),
    "devices": (Role.DATA_ADMIN, Role.PLANNER, Role.OFFICER),
}
_CHUNK = 5_000
_ROWS_NAMED = 10
# A transformation that promises this much is as good as the surveys themselves.
_EXACT_M = 1.0


def import_layer(work: Work, path: Path, options: Options, *, told: Told | None = None) -> Report:
    """Import the rows of a file into one layer; the caller commits where the report has a batch.

    `told` hears how many rows of how many are done; what it raises ends the import, of which nothing stays.
    Raises RuleViolation where the file as a whole cannot be taken: its size, format, encoding or coordinate
    system, or because the same file is in that layer already, with all of its rows.
    """
    layer = LAYERS.get(options.layer)
    if layer is None:
        raise invalid("layer.unknown", measured=options.layer, required=", ".join(LAYERS))
    _refuse_actor(work, options.layer)
    sha256 = sha256_of(path)
    before = _before(work, options.layer, sha256)
    table = read_table(path, layer, options, lambda geom: work.rulebook.at_place(geom, work.now).zone)
    if not table.rows:
        raise invalid("layer.empty")
    refuse_offset(table.names)
    refuse_offset_cells(table.columns, (row.values for row in table.rows))
    way = placement(table.crs, options.crs)
    columns = match(table.columns, layer.fields, table.kept)
    report = Report(
        layer=options.layer,
        file_name=path.name,
        sha256=sha256,
        format=table.format,
        crs=way.name,
        accuracy_m=way.accuracy_m,
        encoding=table.encoding,
        columns=columns,
        rows=(),
        batch=None,
        notes=table.notes,
        left_aside=() if layer.keeps_others else left_aside(table, columns),
    )
    if before is not None:
        return told_before(report, before)
    batch = _batch(options.layer, path, sha256, way.name)
    intake = Intake(work, batch.id, way, *_named(work, options, columns))
    if options.layer == "devices":
        intake.known.update(_known_devices(work, table, columns.get("device_code")))
    writer = _Writer(work, batch, is_partly=options.partly)
    with work.session.begin_nested() as attempt:
        for drafts in judged(table, layer, columns, intake):
            writer.take(drafts, intake)
            if told is not None:
                told(len(writer.outcomes), len(table.rows))
        if not writer.is_whole:
            attempt.rollback()
    notes = (*table.notes, *_notes(way, intake))
    if not writer.is_whole:
        return replace(report, rows=tuple(outcome.unwritten() for outcome in writer.outcomes), notes=notes)
    _close(work, batch, writer)
    return replace(report, rows=tuple(writer.outcomes), notes=notes, batch=batch.public_id)


def _notes(way: Placement, intake: Intake) -> Iterator[Refusal]:
    """What may be wrong with the places of a file, though its rows were taken."""
    if way.accuracy_m is None:
        yield refuse("layer.accuracy", "layer.accuracy_unknown", system=way.name)
    elif way.accuracy_m > _EXACT_M:
        yield refuse("layer.accuracy", "layer.accuracy", system=way.name, measured=f"{way.accuracy_m:g} m")
    if intake.stray:
        rows = ", ".join(map(str, intake.stray[:_ROWS_NAMED]))
        yield refuse("layer.stray", "layer.stray", measured=len(intake.stray), rows=rows)


def read_table(path: Path, layer: Layer, options: Options, zone_of: ZoneOf = lambda _geom: UTC) -> Table:
    """The rows of a file, by the reader for what its first bytes say it is; the name decides only for text.

    `zone_of` gives the time zone of a place, for the hours in a document of zones (ED-269, ED-318).
    """
    with path.open("rb") as file:
        head = file.read(len(SQLITE_MAGIC))
    suffix = path.suffix.lower()
    if head == SQLITE_MAGIC:
        return read_geopackage(path, options.source_layer)
    if head[:4] == b"PK\x03\x04" or (head[:4] == SHP_MAGIC and suffix == ".shp"):
        return read_shapefile(path, options.source_layer, options.encoding)
    if suffix in (".geojson", ".json"):
        document = read_json(path)
        if is_geozones(document):
            return table_of(document, path.name, zone_of)
        return geojson_table(document, path.name, layer.allow, options.crs)
    if suffix in (".csv", ".txt", ".tsv"):
        return read_csv(path, options.encoding, options.crs)
    raise invalid("layer.format", "layer.unknown_format", measured=path.name[-40:])


def _refuse_actor(work: Work, layer: str) -> None:
    roles = _IMPORTERS.get(layer, (Role.DATA_ADMIN,))
    if work.actor.kind is ActorKind.HOST or any(work.actor.has(role) for role in roles):
        return
    raise forbidden(
        "state.role", "machine.role", subject=layer, transition=Coded("step", ["import"]), required=Coded("role", roles)
    )


def _before(work: Work, layer: str, sha256: str) -> ImportBatch | None:
    """The import of the same file that left rows out, or None; raises RuleViolation where it has all of its rows."""
    query = select(ImportBatch).where(ImportBatch.layer == layer, ImportBatch.sha256 == sha256).limit(1)
    before = work.session.scalars(query).first()
    if before is not None and not before.rows_refused:
        raise conflict("layer.twice", batch=before.public_id, measured=moment(before))
    return before


def _batch(layer: str, path: Path, sha256: str, crs: str) -> ImportBatch:
    return ImportBatch(
        id=new_id(),
        public_id=public_id("IB"),
        origin=Origin.LEGACY.value,
        layer=layer,
        file_name=path.name,
        sha256=sha256,
        crs=crs,
        rows_imported=0,
        rows_refused=0,
        refused_rows=[],
    )


def _known_devices(work: Work, table: Table, column: str | None) -> Iterator[tuple[str, KnownDevice]]:
    """The devices in the register whose codes stand in a column of the file."""
    if column is None:
        return
    named = {str(row.values.get(column) or "").strip() for row in table.rows} - {""}
    codes = sorted(code for code in named if "\0" not in code)
    for start in range(0, len(codes), _CHUNK):
        rows = work.session.execute(
            select(
                Device.code,
                Device.id,
                Device.public_id,
                Device.name,
                Device.device_type,
                Device.platform,
                Device.secret,
                DeviceSite.geom,
                Device.authority_id,
            )
            .join(DeviceSite, DeviceSite.id == Device.site_id)
            .where(among(Device.code, codes[start : start + _CHUNK]))
        )
        found = {
            row.code: KnownDevice(
                id=row.id,
                public_id=row.public_id,
                name=row.name,
                device_type=row.device_type,
                platform=row.platform,
                place=Point(lon_lat(row.geom)),
                users={row.authority_id},
                is_secret=row.secret,
            )
            for row in rows
        }
        by_id = {known.id: known for known in found.values()}
        shares = select(DeviceShare.device_id, DeviceShare.authority_id).where(among(DeviceShare.device_id, by_id))
        for device_id, user in work.session.execute(shares):
            by_id[device_id].users.add(user)
        yield from found.items()


def _named(work: Work, options: Options, columns: Mapping[str, str]) -> tuple[Authority | None, SupervisionItem | None]:
    """The authority and the item that hold for all devices of the file."""
    if options.layer != "devices":
        return None, None
    if options.authority is None and "authority" not in columns:
        raise invalid("layer.authority", "layer.authority_missing")
    authority = work.session.scalars(select(Authority).where(Authority.code == options.authority)).one_or_none()
    if authority is None and options.authority is not None:
        raise not_found(
            "store.unknown", "store.not_found", subject=Coded("subject", ["authority"]), measured=options.authority
        )
    if options.item is None:
        return authority, None
    item = work.session.scalars(select(SupervisionItem).where(SupervisionItem.code == options.item)).one_or_none()
    if item is None:
        raise not_found(
            "store.unknown", "store.not_found", subject=Coded("subject", ["supervision_item"]), measured=options.item
        )
    return authority, item


class _Writer:
    """Writes what is taken of a file as it comes; where it may not stay, the caller takes all of it back."""

    def __init__(self, work: Work, batch: ImportBatch, *, is_partly: bool) -> None:
        self._work = work
        self._batch = batch
        self._is_partly = is_partly
        self.outcomes: list[RowOutcome] = []
        self.refused = self._rows = 0

    def take(self, drafts: Sequence[Drafted], intake: Intake) -> None:
        """Writes the records of some rows with their events, and keeps what became of every row."""
        for draft in drafts:
            ids = tuple(record.public_id for record in draft.records if hasattr(record, "public_id"))
            outcome = RowOutcome(draft.number, tuple(draft.cells.refusals), ids)
            if draft.is_taken and draft.merged_into is not None:
                outcome = replace(
                    outcome, notes=tuple(draft.notes), merged=True, merged_into=draft.merged_into.public_id
                )
            self.outcomes.append(outcome)
            self.refused += not draft.is_taken
        records = [record for draft in drafts for record in draft.records]
        if not records or self._is_kept_out:
            return
        if not self._rows:
            self._work.session.add(self._batch)
            self._work.session.flush()
        self._rows += len(records)
        # Sites before the devices that stand on them, and these before those who use them too.
        records.sort(key=lambda record: _ORDER.get(kind_of(record), 0))
        copy_in(self._work.session, records)
        self._work.record_many(list(device_events(records, intake, self._batch.public_id)))
        for record in records:
            if isinstance(record, PrivacyZone):
                touch(self._work, record)

    @property
    def is_whole(self) -> bool:
        """Whether something was written that may stay."""
        return bool(self._rows) and not self._is_kept_out

    @property
    def _is_kept_out(self) -> bool:
        """Whether a bad row keeps the others out."""
        return bool(self.refused) and not self._is_partly


_ORDER: Mapping[type[Base], int] = {DeviceSite: 0, Device: 1, DeviceShare: 2}


def _close(work: Work, batch: ImportBatch, writer: _Writer) -> None:
    """Says how many rows there were, and tells the ledger."""
    batch.rows_imported, batch.rows_refused = len(writer.outcomes) - writer.refused, writer.refused
    batch.refused_rows = kept_rows(writer.outcomes)
    body = {
        "layer": batch.layer,
        "sha256": batch.sha256,
        "crs": batch.crs,
        "imported": batch.rows_imported,
        "refused": batch.rows_refused,
    }
    work.record("layer.import", "import_batch", batch.id, body, origin=Origin.LEGACY)
