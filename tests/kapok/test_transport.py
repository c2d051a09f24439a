"""Calls of the API: the key, problems, patience."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from faulty_proxy import CUT, LOST
from real_service import Service
from scripted import scripted

from kapok import language
from kapok.client import Client
from kapok.connection import Connection
from kapok.errors import ApiError, FieldMissing, NotKapok, ServiceUnreachable, Usage
from kapok.transport import Transport, open_http, tries


def test_a_problem_becomes_an_error_with_code_and_request_id(
    service: Service, transport: Transport
) -> None:
    with pytest.raises(ApiError) as caught:
        transport.get("/v1/uploads/upl_9")

    assert caught.value.code == "upload_not_found"
    assert caught.value.title == "No such upload"
    assert "upl_9" in caught.value.detail
    assert caught.value.status == 404
    assert str(caught.value.request_id).startswith("req_")
    assert not caught.value.retryable


def test_a_wrong_key_is_not_tried_twice(service: Service) -> None:
    stranger = Transport(Connection(service.url, "kpk_other"))

    with pytest.raises(ApiError, match="known"):
        stranger.get("/v1/uploads/upl_1")

    assert len(service.requests) == 1
    stranger.close()


def test_a_service_that_comes_back_is_waited_for(service: Service, transport: Transport) -> None:
    """A dropped connection, 503 and 429 pass; the same call then succeeds."""
    service.fail("POST /v1/uploads", CUT, 503, 429)
    wanted = {"title": "x", "file_name": "x.mov", "size_bytes": 1}

    answer = transport.post("/v1/uploads", wanted)

    assert answer["id"] == service.upload().id
    assert service.count("POST /v1/uploads") == 4


def test_an_edit_whose_answer_is_lost_is_no_conflict(service: Service) -> None:
    """The second try meets what the first one wrote."""
    asset_id = service.asset()
    service.fail("PATCH", LOST)

    with Client(service.url, service.key) as client:
        assert client.edit_asset(asset_id, title="新题")["title"] == "新题"

    assert service.count("PATCH") == 2


def test_somebody_elses_edit_meanwhile_is_a_conflict(service: Service) -> None:
    asset_id = service.asset()

    class Beaten(Client):
        """Between its reading and its writing somebody else writes."""

        def asset(self, asset_id: str) -> dict[str, Any]:
            found = super().asset(asset_id)
            if found["version"] == 1:
                other.edit_asset(asset_id, title="别人的题")
            return found

    with (
        Client(service.url, service.key) as other,
        Beaten(service.url, service.key) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.edit_asset(asset_id, title="新题")

    assert caught.value.code == "version_conflict"


def test_nobody_there_is_said_within_the_patience() -> None:
    """The text names the address and both ways out."""
    alone = Transport(Connection("http://127.0.0.1:1", "kpk_x"))
    began = time.monotonic()

    with pytest.raises(ServiceUnreachable, match=r"127.0.0.1:1 .*kapok up.*--url"):
        alone.get("/v1/jobs", patience_s=0.5)

    assert time.monotonic() - began < 2
    alone.close()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "socks://127.0.0.1:1"])
def test_a_proxy_that_nobody_here_speaks_is_said(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """As many a workstation has it in its environment."""
    monkeypatch.setenv("ALL_PROXY", proxy)

    with pytest.raises(Usage, match=r"proxy.*NO_PROXY"):
        open_http("http://kapok.example:8040")


def test_certificates_that_cannot_be_read_are_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))

    with pytest.raises(Usage, match="SSL_CERT_FILE"):
        open_http("https://kapok.example")


def test_an_answer_that_leads_in_circles_is_no_traceback() -> None:
    """A portal that wants a login stands before the service."""
    with scripted("", status=302, headers={"Location": "/again"}) as (url, _):
        asking = Transport(Connection(url, "kpk_x"))
        with pytest.raises(ServiceUnreachable, match="redirect"):
            asking.read("/somewhere")
        asking.close()


def test_the_key_is_in_no_repr() -> None:
    assert "kpk_secret" not in repr(Connection("http://a", "kpk_secret"))


def test_logs_hold_no_signatures(
    service: Service, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has a signed URL may read the file: its query stays out of the client's logs.

    The service runs in this process too, and pytest opens the access log that it keeps shut.
    """
    caplog.set_level("INFO")
    path, _, query = service.store(b"abc").partition("?")

    assert transport.read(f"{path}?{query}") == b"abc"

    logged = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("http"))
    assert path in logged
    assert query.rpartition("signature=")[2] not in logged


def test_the_service_is_asked_to_answer_in_our_language(service: Service) -> None:
    """Titles and reasons of problems come in the language of this run."""
    language.use("zh")
    chinese = Transport(service.connection)

    with pytest.raises(ApiError) as caught:
        chinese.get("/v1/jobs/job_1")

    assert service.proxy.languages == ["zh-CN"]
    assert caught.value.title == "任务不存在"
    chinese.close()


@pytest.mark.parametrize(
    "answer", ["<html>welcome</html>", "{}", "[]", "", '{"data": 5}', '{"data": [5]}']
)
def test_a_server_that_is_no_kapok_is_named_as_such(answer: str) -> None:
    """A page with status 200, or JSON of another shape: an error with the way out, at once."""
    with (
        scripted(answer) as (url, requests),
        Client(url, "kpk_x") as client,
        pytest.raises(NotKapok, match=rf"{url} is not a Kapok service .*--url"),
    ):
        client.profiles()

    assert len(requests) == 1


def test_what_nobody_wrote_into_metadata_is_a_key_that_is_missing() -> None:
    """As in any dict; no service is blamed where a script asks for it and catches that."""
    with scripted('{"id": "ast_1", "metadata": {"reel": 1}}') as (url, _), Client(url, "k") as one:
        found = one.asset("ast_1")
    assert found["metadata"]["reel"] == 1
    with pytest.raises(KeyError, match="its answer has no 'creator'") as missing:
        found["metadata"]["creator"]
    assert isinstance(missing.value, FieldMissing)


@pytest.mark.parametrize(("scheme", "key"), [("gopher", "kpk_x"), ("http", "kpk_x\nsecret")])
def test_a_call_that_cannot_be_made_is_not_tried_again(
    service: Service, scheme: str, key: str
) -> None:
    """The fault is on our side: no patience helps, and the text holds nothing of the key."""
    wrong = Transport(Connection(service.url.replace("http", scheme), key))
    began = time.monotonic()

    with pytest.raises(ServiceUnreachable) as caught:
        wrong.get("/v1/jobs", patience_s=30)

    assert time.monotonic() - began < 15
    assert "secret" not in caught.value.detail
    wrong.close()


def test_no_patience_is_one_try() -> None:
    assert list(tries(0)) == [True]


def test_the_last_try_is_marked() -> None:
    answers = list(tries(1.0))

    assert answers[-1] is True
    assert not any(answers[:-1])
    assert len(answers) > 2
