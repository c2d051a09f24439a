"""An API in a process of its own, for tests that look at its memory or kill it: `FOLDER PORT`."""

from __future__ import annotations

import sys
from pathlib import Path

from api.app import create_app
from api.server import make_server
from storage.catalogue import keys
from storage.database import Database
from storage.objects import open_store
from storage.settings import load_settings
from workers.broker import open_broker


def main(folder: Path, port: int) -> None:
    env = {"KAPOK_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    settings = load_settings(folder, env)
    database = Database(settings.database_url)
    database.migrate()
    objects = open_store(settings)
    objects.prepare()
    with database.begin() as session:
        secret = keys.ensure_first_admin(session)
    if secret is not None:
        (folder / "admin.key").write_text(secret)
    app = create_app(settings, database, objects, open_broker(settings))
    make_server(app, "127.0.0.1", port).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
