"""The documents describe only what exists, in two languages that say the same."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from api.app import create_app
from kapok.app import app
from pipelines.profiles.profile import load_ladders, load_profiles
from storage.catalogue.keys import ROLES
from storage.catalogue.zones import USUAL_ZONES
from storage.database import Database
from storage.objects import open_store
from storage.settings import load_settings
from workers.broker import QUEUES, open_broker

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/decisions").glob("*.md")]
)
GUIDES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]
ENGLISH = [page for page in GUIDES if page.with_suffix(".zh-CN.md").exists()]


def code_lines(page: Path) -> list[str]:
    """The indented lines of a page, comments off."""
    lines = [line[4:] for line in page.read_text("utf-8").splitlines() if line.startswith("    ")]
    return [re.sub(r"\s+#\s.*$", "", line) for line in lines]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def kapok_commands() -> list[tuple[str, str]]:
    """Every `kapok …` in the guides: as a line of code, or in a span of text."""
    found = []
    for page in GUIDES:
        text = page.read_text("utf-8")
        spans = re.findall(r"`(kapok [^`]+)`", text)
        lines = [line for line in code_lines(page) if re.match(r"(?:\S+=\S+ )*kapok ", line)]
        found += [(name_of(page), command) for command in (*spans, *lines)]
    return sorted(set(found))


@pytest.mark.parametrize(("page", "command"), kapok_commands())
def test_every_command_in_a_guide_is_one_that_kapok_has(page: str, command: str) -> None:
    """Words and options are parsed by the command line itself; nothing runs."""
    del page
    words = [
        word for word in shlex.split(command) if word != "…" and not re.match(r"KAPOK_\w+=", word)
    ]
    at: object = typer.main.get_command(app)
    context = typer.Context(at, info_name="kapok")  # type: ignore[arg-type]
    rest = words[1:]
    while hasattr(at, "get_command") and rest:
        at = at.get_command(context, rest[0])
        assert at is not None, f"there is no command {rest[0]!r}"
        rest = rest[1:]
    if not hasattr(at, "get_command"):
        options = {option for parameter in at.params for option in parameter.opts}  # type: ignore[attr-defined]
        given = {word.partition("=")[0] for word in rest if re.match(r"-{1,2}\w", word)}
        assert given <= options


NAMED_BY = {
    "--ladder": "ladder", "--profile": "profile", "--profiles": "profile", "--require": "profile",
    "--zone": "zone", "--role": "role", "--queues": "queue",
    "profile show": "profile", "zone create": "zone",
}  # fmt: skip
IN_REQUESTS = {"ladder": "ladder", "profiles": "profile", "zone": "zone", "role": "role"}
_WORD = r"[a-z0-9][a-z0-9._-]*"  # of a name; what stands for any of them is in capitals or Chinese


def names_there_are() -> dict[str, set[str]]:
    """By kind. A zone may also be one that the guides make with `kapok zone create`."""
    made = {command.split()[3] for _, command in kapok_commands() if "zone create " in command}
    return {
        "ladder": set(load_ladders()),
        "profile": set(load_profiles()),
        "zone": {name for name, *_ in USUAL_ZONES} | made,
        "role": set(ROLES),
        "queue": set(QUEUES),
    }


def names_told(text: str) -> list[tuple[str, str]]:
    """The kind and the name, in commands, in JSON (escaped for a shell or not) and in Python."""
    found = []
    for way, kind in NAMED_BY.items():
        listed = re.findall(rf"{way}[ =]({_WORD}(?:,{_WORD})*)(?=[\s`]|$)", text, re.MULTILINE)
        found += [(kind, name) for names in listed for name in names.split(",")]
    for field, kind in IN_REQUESTS.items():
        value = rf"\[[^\]]*\]|\\?\"{_WORD}\\?\""
        given = re.findall(rf"(?:\\?\"{field}\\?\": ?|\b{field}=)({value})", text)
        found += [
            (kind, name) for names in given for name in re.findall(rf"\"({_WORD})\\?\"", names)
        ]
    return found


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_every_name_that_a_guide_gives_is_there(page: Path) -> None:
    """Of ladders, profiles, zones, roles and queues: each can be typed as it is written."""
    there = names_there_are()
    told = names_told(page.read_text("utf-8"))
    assert not {(kind, name) for kind, name in told if name not in there[kind]}


def test_the_zones_of_a_new_organisation_are_all_told() -> None:
    """With what each needs one of; the same in both languages."""
    for name in ("publishing-and-pulling.md", "publishing-and-pulling.zh-CN.md"):
        rows = re.findall(
            r"^\| (`.+) \| (`.+) \|$", (ROOT / "docs" / name).read_text(), re.MULTILINE
        )
        told = [tuple(tuple(re.findall(r"`([^`]+)`", cell)) for cell in row) for row in rows]
        assert told == [((zone,), profiles) for zone, _, profiles in USUAL_ZONES]


def test_names_are_found_wherever_a_guide_may_give_them() -> None:
    """As options, in JSON, within a shell's quotes, in Python; not what stands for any of them."""
    told = """
        kapok upload FILE --ladder gone --profiles a-b,c --zone=here   `--role boss`
        kapok worker --queues one,two --zone NAME --profile … `kapok profile show NAME`
        kapok profile show old-one
        -d "{\\"ladder\\": \\"x1\\"}" -d '{"profiles": ["p1", "p2"], "zone": "z1"}'
        client.upload("f.mov", title="t", ladder="l9", profiles=["q"])
    """.replace("\\\\", "\\")
    assert sorted(names_told(told)) == sorted(
        [
            *[("ladder", name) for name in ("gone", "x1", "l9")],
            *[("profile", name) for name in ("a-b", "c", "p1", "p2", "q", "old-one")],
            *[("zone", name) for name in ("here", "z1")],
            ("role", "boss"), ("queue", "one"), ("queue", "two"),
        ]
    )  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files and pictures beside the page; headings by the anchors that GitHub gives them."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ENGLISH, ids=name_of)
def test_the_chinese_page_has_the_same_parts(page: Path) -> None:
    """As many headings of each level, table rows and list items; the same commands and names."""
    twins = [page.read_text("utf-8"), page.with_suffix(".zh-CN.md").read_text("utf-8")]
    for pattern in (r"^# ", r"^## ", r"^### ", r"^\|", r"^- ", r"^\d+\. "):
        english, chinese = (len(re.findall(pattern, text, re.MULTILINE)) for text in twins)
        assert english == chinese, pattern
    english, chinese = (spoken(text) for text in twins)
    assert english == chinese


def spoken(text: str) -> set[str]:
    """Names that no language changes: profiles, settings, paths, codes."""
    spans = re.findall(r"`([^`]+)`", text)
    return {
        span for span in spans if re.fullmatch(r"[A-Z_0-9]{6,}|[a-z0-9]+(?:[-_][a-z0-9]+)+", span)
    }


def test_every_guide_has_its_chinese_page() -> None:
    """All but the table of errors, which is in both languages itself."""
    alone = [page.name for page in GUIDES if "zh-CN" not in page.name and page not in ENGLISH]
    assert alone == ["errors.md"]


def settings_read() -> set[str]:
    sources = [
        ROOT / "storage/settings.py",
        ROOT / "pipelines/running/tools.py",
        ROOT / "pipelines/running/sandbox.py",
    ]
    names = {name for file in sources for name in re.findall(r"KAPOK_[A-Z0-9_]+", file.read_text())}
    keys = {"KAPOK_S3_ACCESS_KEY", "KAPOK_S3_SECRET_KEY"}  # written there as one name with a gap
    return {name for name in names if not name.endswith("_")} | keys


def test_operating_explains_every_setting_and_no_other() -> None:
    """Of the service; the client's own four are named in one sentence below the table."""
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    client = {"KAPOK_URL", "KAPOK_API_KEY", "KAPOK_API_KEY_FILE", "KAPOK_LANG"}
    image = {"KAPOK_IMAGE"}  # of docker-compose.yml
    assert set(re.findall(r"KAPOK_[A-Z0-9_]+", text)) == settings_read() | client | image


def test_every_address_in_a_guide_is_one_that_the_api_has(tmp_path: Path) -> None:
    """Method by method; ids and names stand for any id and name."""
    settings = load_settings(tmp_path, {})
    service = create_app(
        settings, Database(settings.database_url), open_store(settings), open_broker(settings)
    )
    known = {re.sub(r"\{[^}]+\}", "*", path) for path in service.openapi()["paths"]}
    for page in GUIDES:
        text = re.sub(r"\$URL", "", page.read_text("utf-8"))
        for path in re.findall(r"(?<![\w.])(/(?:v1|health)/[\w/{}\-.\u4e00-\u9fff]+)", text):
            plain = re.sub(r"\{[^}]+\}|(?<=/)[A-Z]{3}\b|(?<=/)foshan\b", "*", path.rstrip("."))
            assert plain in known, f"{name_of(page)}: {path}"


def test_profiles_and_ladders_are_all_told() -> None:
    """By name, in the guide; and no other is."""
    table = re.findall(
        r"^\| `([a-z0-9-]+)` \|", (ROOT / "docs/profiles.md").read_text(), re.MULTILINE
    )
    assert set(table) == set(load_profiles())
    told = (ROOT / "docs/profiles.md").read_text()
    assert all(f"`{ladder}`" in told for ladder in load_ladders())


def test_the_quick_start_is_exactly_two_commands() -> None:
    """The first block of code in the README, in both languages."""
    for name in ("README.md", "README.zh-CN.md"):
        block = re.search(r"(?:^    .+\n)+", (ROOT / name).read_text("utf-8"), re.MULTILINE)
        assert block is not None
        commands = [line.split("#")[0].strip() for line in block[0].splitlines()]
        assert commands == ["make demo", "make test"]


def test_the_map_has_every_folder_of_the_media_logic() -> None:
    """And no other: a file is looked for where the map says."""
    lines = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("Inside `pipelines/`")[2]
    rows = [line for line in lines.partition("import-linter")[0].splitlines() if line[:2] == "| "]
    told = {name for row in rows[1:] for name in re.findall(r"`(\w+)/`", row.split("|")[1])}
    assert told == {path.parent.name for path in ROOT.glob("pipelines/*/__init__.py")}


def test_every_file_that_a_page_names_is_there() -> None:
    """Paths of the code in the guides and decisions, which move with it."""
    named = {
        (name_of(page), path)
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for path in re.findall(
            r"`((?:api|benchmarks|kapok|pipelines|sample_media|storage|tests|workers)/[\w/.-]+\.\w+)`",
            page.read_text("utf-8"),
        )
    }
    assert named
    assert not {(page, path) for page, path in named if not (ROOT / path).exists()}
