"""Ids in URLs: one word is one segment, whatever stands in it."""

from __future__ import annotations

import pytest
from real_service import Service

from kapok.address import route, service_address
from kapok.client import Client
from kapok.errors import ApiError, Usage


@pytest.mark.parametrize("word", ["", ".", ".."])
def test_an_id_that_names_another_place_is_usage(word: str) -> None:
    with pytest.raises(Usage, match="asset list"):
        route("assets", word)


def test_every_other_word_is_one_segment() -> None:
    """Nothing in an id can open a query, another path or another line."""
    assert route("api-keys", "../uploads/upl_1") == "/v1/api-keys/..%2Fuploads%2Fupl_1"
    assert route("assets", "a?b#c\nd%", "jobs") == "/v1/assets/a%3Fb%23c%0Ad%25/jobs"
    assert route("profiles", "\udcff") == "/v1/profiles/%3F"


@pytest.mark.parametrize("address", ["http://me:secret@host", "https://secret@host/kapok"])
def test_no_password_is_taken_in_an_address_or_shown(address: str) -> None:
    """It would be sent in place of the key, and be part of every later error."""
    with pytest.raises(Usage, match="no user name or password") as caught:
        service_address(address)

    assert "secret" not in caught.value.detail


@pytest.mark.parametrize("word", ["../uploads/{}", "a\nb", "a?b", "岭南", "%2e%2e"])
def test_a_wrong_id_finds_nothing_and_ends_nothing(service: Service, word: str) -> None:
    """`kapok key revoke ../uploads/UPL` reached the upload and aborted it."""
    with Client(service.url, service.key) as client:
        wanted = {"title": "x", "file_name": "x.mov", "size_bytes": 1}
        begun = client._transport.post("/v1/uploads", wanted)

        for call in (client.revoke_key, client.asset, client.cancel):
            with pytest.raises(ApiError) as caught:
                call(word.format(begun["id"]))
            assert caught.value.status == 404

    assert service.upload().state == "open"
