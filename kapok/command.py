"""What every command shares: its common options, where its answer goes, and how its errors read."""

from __future__ import annotations

import functools
import inspect
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer
from typer.core import TyperCommand, TyperGroup

from kapok.errors import FAILED, INTERRUPTED, ApiError, Usage, exit_status
from kapok.language import t, use
from kapok.names import as_json, readable, visible
from kapok.ways_out import of_system, way_out
from pipelines.errors import KapokError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kapok.client import Client

P = ParamSpec("P")

JsonOption = Annotated[
    bool,
    typer.Option("--json", help=t("One JSON object on stdout.", "在标准输出打印一个 JSON 对象。")),
]
LanguageOption = Annotated[
    str, typer.Option("--lang", metavar="en|zh", help=t("Language of texts.", "界面语言。"))
]
UrlOption = Annotated[
    str,
    typer.Option(
        "--url", metavar="URL", help=t("The service (KAPOK_URL).", "服务地址（KAPOK_URL）。")
    ),
]
KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--api-key-file",
        metavar="FILE",
        help=t("File with the key (or KAPOK_API_KEY).", "密钥文件（或 KAPOK_API_KEY）。"),
    ),
]
COMMON: Mapping[str, tuple[Any, object]] = {
    "json_": (JsonOption, False),
    "lang": (LanguageOption, ""),
}
ONLINE: Mapping[str, tuple[Any, object]] = {
    "url": (UrlOption, ""),
    "api_key_file": (KeyOption, None),
}


@dataclass(frozen=True, slots=True)
class Output:
    """stdout is for the answer, stderr for people; nothing moves where no terminal shows it."""

    json: bool = False

    @property
    def animated(self) -> bool:
        return not self.json and sys.stderr.isatty()

    def answer(
        self, record: object, table: Callable[[], RenderableType], *, whole_lines: bool = False
    ) -> None:
        """The one answer of a command: the record for machines, or a picture of it for people.

        `whole_lines`: text is broken by the terminal alone, so that commands can be copied.
        """
        if self.json:
            sys.stdout.write(f"{as_json(record)}\n")
            sys.stdout.flush()
            return
        from kapok.show import console

        console().print(table(), soft_wrap=whole_lines)

    def note(self, text: str) -> None:
        """A line for people, on stderr."""
        sys.stderr.write(f"{visible(text)}\n")
        sys.stderr.flush()


class Command(TyperCommand):
    """Its help says of no switch that it takes a value: `--wait <bool>` reads as `--wait true`."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_as_shown(one) for one in super().get_params(ctx)]


class Group(TyperGroup):
    """The same, of commands that hold others."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_as_shown(one) for one in super().get_params(ctx)]


def _one_spelling(word: str) -> str:
    """`--profile` is `--profiles`: whoever knows one command has no other to learn."""
    return "profiles" if word == "profile" else word


def _as_shown(parameter: Any) -> Any:
    if parameter.name == "help":
        parameter.help = t("Show this message and exit.", "显示帮助后退出。")
    if getattr(parameter, "is_flag", False) and parameter.metavar is None:
        parameter.metavar = ""
    return parameter


def command(
    app: typer.Typer, name: str, about: str, *, hidden: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register `run(out, …)` as a command with the common options and exit codes."""
    return _register(app, name, about, online=False, hidden=hidden)


def online(
    app: typer.Typer, name: str, about: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same for `run(out, client, …)`: a command that needs a service."""
    return _register(app, name, about, online=True, hidden=False)


def _register(
    app: typer.Typer, name: str, about: str, *, online: bool, hidden: bool
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def decorate(run: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(run)
        def invoke(*, json_: bool, lang: str, **values: Any) -> None:
            use_language(lang)
            out = Output(json_)
            with_errors(out, functools.partial(_run, run, out, values, online=online))

        given = {**COMMON, **(ONLINE if online else {})}
        invoke.__dict__["__signature__"] = _signature(run, given, skip=2 if online else 1)
        invoke.__annotations__ = {}
        settings = {"token_normalize_func": _one_spelling}
        app.command(name, cls=Command, help=about, hidden=hidden, context_settings=settings)(invoke)
        return run

    return decorate


def _run(run: Callable[..., None], out: Output, values: dict[str, Any], *, online: bool) -> None:
    if not online:
        run(out, **values)
        return
    with connect(values.pop("url"), values.pop("api_key_file")) as client:
        run(out, client, **values)


def connect(url: str, api_key_file: Path | None) -> Client:
    from kapok.client import Client
    from kapok.connection import resolve

    connection = resolve(url or None, api_key_file)
    return Client(connection.url, connection.api_key)


def _signature(
    run: Callable[..., None], added: Mapping[str, tuple[Any, object]], *, skip: int
) -> inspect.Signature:
    """`run`'s own parameters less the first `skip`, and the added ones, as typer reads them."""
    names = {"Client": object}  # typer never sees it: it is among the skipped
    whole = inspect.signature(run, eval_str=True, locals=names)
    own = list(whole.parameters.values())[skip:]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in added.items()
    ]
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    return inspect.Signature([*keyword, *more])


def with_errors(out: Output, run: Callable[[], None]) -> None:
    """Run a command; an error becomes one clear block on stderr and its exit status."""
    try:
        run()
    except KapokError as error:
        report(out, error)
        raise typer.Exit(exit_status(error)) from error
    except KeyboardInterrupt as error:
        out.note(t("interrupted", "已中断"))
        raise typer.Exit(INTERRUPTED) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        report(out, of_system(error))
        raise typer.Exit(FAILED) from error


def report(out: Output, error: KapokError) -> None:
    """Code, cause with the way out, request id: as a block for people, as JSON for machines."""
    request_id = error.request_id if isinstance(error, ApiError) else None
    fields = error.fields if isinstance(error, ApiError) else []
    if out.json:
        record = {
            "code": error.code,
            "title": error.title if isinstance(error, ApiError) else None,
            "detail": error.detail,
            "retryable": error.retryable,
            "request_id": request_id,
            "errors": fields,
        }
        out.note(as_json({"error": record}, indent=None))
        return
    lines = [t(f"error: {error.code}", f"错误：{error.code}"), *_cause(error)]
    # Entries without a pointer are the reasons that the detail has listed already.
    lines += [f"{field['pointer']}: {field['detail']}" for field in fields if field.get("pointer")]
    if request_id:
        lines.append(t(f"request id: {request_id}", f"请求编号：{request_id}"))
    out.note("\n  ".join(lines))


def _cause(error: KapokError) -> list[str]:
    """What is in the reader's language first, then the detail where it says more."""
    title = error.title if isinstance(error, ApiError) else ""
    told = [line for line in (title, way_out(error.code, error.detail)) if line]
    return [*told, *(line for line in error.detail.splitlines() if line != title)]


def use_language(word: str) -> None:
    """Speak the language of `--lang`; nothing where it was not given."""
    if word and word[:2] not in ("en", "zh"):
        raise typer.BadParameter(t("use en or zh", "请用 en 或 zh"), param_hint="--lang")
    if word:
        use("zh" if word.startswith("zh") else "en")


def end_on_sigterm() -> None:
    """SIGTERM, or the end of the terminal, ends a command as Ctrl-C does: its tools are killed, its
    scratch is removed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def need_folder(path: Path) -> None:
    """`Usage` where a folder cannot be made because a file is in its place."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        name = readable(there)
        raise Usage(
            t(
                f"{name} is a file: give -o a folder, which is made when it is not there",
                f"{name} 是文件：请给 -o 一个目录，不存在时会自动创建",
            )
        )
