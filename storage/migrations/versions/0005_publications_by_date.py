"""Publications are listed by date, as uploads, assets and jobs are."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = ["organisation_id", "created_at", "id"]


def upgrade() -> None:
    op.create_index("publications_by_date", "publications", COLUMNS, unique=False)


def downgrade() -> None:
    op.drop_index("publications_by_date", table_name="publications")
