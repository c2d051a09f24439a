"""Profiles that organisations added."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "organisation_profiles",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column(
            "organisation_id", sa.String(40), sa.ForeignKey("organisations.id"), nullable=False
        ),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.UniqueConstraint(
            "organisation_id", "name", "version", name="one_own_profile_a_version"
        ),
    )


def downgrade() -> None:
    op.drop_table("organisation_profiles")
