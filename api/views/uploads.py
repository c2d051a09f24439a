"""An upload as it is sent."""

from __future__ import annotations

from api.models import uploads as model
from api.models.common import Failure
from storage import schema
from storage.catalogue.uploads import part_count


def upload(row: schema.Upload) -> model.Upload:
    return model.Upload(
        id=row.id,
        state=row.state,  # type: ignore[arg-type] # the catalogue writes no other word
        asset_id=row.asset_id,
        job_id=row.job_id,
        title=row.title,
        file_name=row.file_name,
        size_bytes=row.size_bytes,
        part_size_bytes=row.part_size_bytes,
        part_count=part_count(row.size_bytes, row.part_size_bytes),
        **{kind: row.declared.get(kind) for kind in model.Checksums.model_fields},
        error=Failure.model_validate(row.error) if row.error else None,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
