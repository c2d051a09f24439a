"""Calls of the API: the key, problems, patience."""

from __future__ import annotations

import time

import pytest
from fake_service import FakeService

from kapok import language
from kapok.connection import Connection
from kapok.errors import ApiError, ServiceUnreachable
from kapok.transport import Transport, tries


def test_a_problem_becomes_an_error_with_code_and_request_id(
    service: FakeService, transport: Transport
) -> None:
    with pytest.raises(ApiError) as caught:
        transport.get("/v1/uploads/upl_9")

    assert caught.value.code == "upload_not_found"
    assert caught.value.detail == "no such upload"
    assert (caught.value.status, caught.value.request_id) == (404, "req_1")
    assert not caught.value.retryable


def test_a_wrong_key_is_not_tried_twice(service: FakeService) -> None:
    stranger = Transport(Connection(service.url, "kpk_other"))

    with pytest.raises(ApiError, match="not known"):
        stranger.get("/v1/uploads/upl_1")

    assert len(service.requests) == 1
    stranger.close()


def test_a_service_that_comes_back_is_waited_for(
    service: FakeService, transport: Transport
) -> None:
    """A dropped connection, 503 and 429 pass; the same call then succeeds."""
    service.faults = {"POST /v1/uploads": [0, 503, 429]}

    answer = transport.post("/v1/uploads", {"size_bytes": 1})

    assert answer["id"] == "upl_1"
    assert service.count("POST /v1/uploads") == 4


def test_nobody_there_is_said_within_the_patience() -> None:
    """The text names the address and both ways out."""
    alone = Transport(Connection("http://127.0.0.1:1", "kpk_x"))
    began = time.monotonic()

    with pytest.raises(ServiceUnreachable, match=r"127.0.0.1:1 .*kapok up.*--url"):
        alone.get("/v1/jobs", patience_s=0.5)

    assert time.monotonic() - began < 2
    alone.close()


def test_the_key_is_in_no_repr() -> None:
    assert "kpk_secret" not in repr(Connection("http://a", "kpk_secret"))


def test_logs_hold_no_signatures(
    service: FakeService, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has a signed URL may read the file: its query stays out of every log."""
    caplog.set_level("INFO")
    service.objects["a"] = b"abc"

    assert transport.read("/objects/a?signature=very-secret") == b"abc"

    assert "/objects/a" in caplog.text
    assert "very-secret" not in caplog.text


def test_the_service_is_asked_to_answer_in_our_language(service: FakeService) -> None:
    """Titles and reasons of problems come in the language of this run."""
    language.use("zh")
    chinese = Transport(Connection(service.url, "kpk_test"))

    chinese.get("/v1/jobs/job_1")

    assert service.languages == ["zh-CN"]
    chinese.close()


def test_no_patience_is_one_try() -> None:
    assert list(tries(0)) == [True]


def test_the_last_try_is_marked() -> None:
    answers = list(tries(1.0))

    assert answers[-1] is True
    assert not any(answers[:-1])
    assert len(answers) > 2
