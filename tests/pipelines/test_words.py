"""Texts that people read have two languages, and keep both on the way into a record and back."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.media import Inspection, LaterTrack, MediaInfo, SubtitleFault
from pipelines.planning.plan import plan
from pipelines.planning.plan_types import Chunk, Findings, Plan, Refusal, Steering
from pipelines.profiles.profile import profile
from pipelines.records import from_json, to_json
from pipelines.words import Words, joined, zh_of
from tests.pipelines.sources import UHD, described

DECIDED = Words("encoded in one piece: there is no picture", "整体编码：没有画面")
REFUSED = Words("the source is SDR", "来源为 SDR")
LIMITED = Words("nothing was probed: it is too short", "没有取样：节目太短")
STEERED = Words("1 of 3 chunks is scored", "3 个分块中有 1 个评分")


def kept(value: Any) -> dict[str, Any]:
    """As the catalogue has it: the text of a record, read again."""
    record: dict[str, Any] = json.loads(json.dumps(to_json(value)))
    return record


def made() -> Plan:
    return replace(
        plan(*described(UHD), [profile("hd-avc-sdr")]),
        decisions=(DECIDED,),
        refused=(Refusal("cn4k-hevc-hlg", "needs_hdr", REFUSED),),
        findings=Findings(limited=LIMITED),
        steering=Steering(("hd-avc-sdr",), (Chunk(0, 0, 25),), STEERED),
    )


def test_a_text_is_its_english_one_wherever_plain_text_is_wanted() -> None:
    """Compared, looked up, searched and written; its Chinese twin stands beside it."""
    assert DECIDED == "encoded in one piece: there is no picture"
    assert {DECIDED: 1}["encoded in one piece: there is no picture"] == 1
    assert DECIDED.startswith("encoded")
    assert json.dumps([REFUSED]) == '["the source is SDR"]'
    assert (f"{REFUSED}", str(REFUSED), REFUSED.zh) == (REFUSED, REFUSED, "来源为 SDR")
    assert type(str(REFUSED)) is str


@pytest.mark.parametrize(
    "again",
    [lambda words: pickle.loads(pickle.dumps(words)), copy.copy, copy.deepcopy, Words.read],
)
def test_a_copy_has_both_languages(again: Any) -> None:
    copied = again(DECIDED)
    assert (copied, copied.zh) == (DECIDED, DECIDED.zh)


def test_texts_are_put_together_in_both_languages() -> None:
    """A name, which has no Chinese twin, stands in both as it is."""
    told = joined([REFUSED, "mobile-540p"])
    assert (told, told.zh) == ("the source is SDR, mobile-540p", "来源为 SDR、mobile-540p")
    assert joined(["4:3", "16:9"], " to ", " → ").zh == "4:3 → 16:9"
    assert (zh_of(REFUSED), zh_of("mobile-540p")) == ("来源为 SDR", "mobile-540p")


def test_a_plan_keeps_both_languages_in_its_record() -> None:
    """Its decisions, refusals and what limited the search; equality sees the English alone."""
    read = from_json(Plan, kept(made()))
    assert read == made()
    assert read.steering is not None
    assert read.findings.limited is not None
    told = (*read.decisions, read.refused[0].reason, read.findings.limited, read.steering.told)
    assert [one.zh for one in told] == [DECIDED.zh, REFUSED.zh, LIMITED.zh, STEERED.zh]


def test_what_was_found_of_a_source_keeps_both_languages_in_its_record() -> None:
    info = MediaInfo("mpegts", 4, None, (), (), notes=(DECIDED,), left_out=(REFUSED,))
    again = from_json(MediaInfo, kept(info))
    assert [one.zh for one in (*again.notes, *again.left_out)] == [DECIDED.zh, REFUSED.zh]
    seen = Inspection(
        Fraction(2),
        findings=(DECIDED,),
        colour_in_doubt=REFUSED,
        subtitle_faults=(SubtitleFault(3, LIMITED),),
        later=(
            LaterTrack("sound", Words("sound track (aac, PID 257)", "音轨（aac，PID 257）"), 9),
        ),
    )
    read = from_json(Inspection, kept(seen))
    assert read == seen
    assert read.colour_in_doubt is not None
    told = (*read.findings, read.colour_in_doubt, read.subtitle_faults[0].why, read.later[0].told)
    assert [one.zh for one in told] == [
        DECIDED.zh,
        REFUSED.zh,
        LIMITED.zh,
        "音轨（aac，PID 257），从第 9 字节处开始，不在任何成品中：请在该处切开文件",
    ]


def test_a_record_of_an_earlier_version_has_english_in_both() -> None:
    """It kept plain text: its plans and inspections are read, and told as they were."""
    record = {**kept(made()), "decisions": ["as it was"], "refused": []}
    record["steering"]["told"] = record["findings"]["limited"] = "as it was"
    read = from_json(Plan, record)
    assert read.steering is not None
    assert read.findings.limited is not None
    told = (*read.decisions, read.findings.limited, read.steering.told)
    assert [(one, one.zh) for one in told] == [("as it was", "as it was")] * 3


@pytest.mark.parametrize("text", [None, 7, ["a"], {"en": "a"}, {"en": "a", "zh": "b", "fr": "c"}])
def test_what_is_no_text_in_two_languages_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="no text in two languages"):
        Words.read(text)
    with pytest.raises(ValidationError):
        from_json(Refusal, {"profile": "mobile-540p", "code": "needs_hdr", "reason": text})


@pytest.mark.parametrize(
    ("said", "expected"), [(str, str(DECIDED)), (lambda words: words.zh, DECIDED.zh)]
)
def test_a_record_may_be_in_one_language(said: Any, expected: str) -> None:
    """As the command line answers it; of what lies in it too."""
    record = to_json(made(), said=said)
    assert record["decisions"] == [expected]
    assert record["refused"][0]["reason"] == said(REFUSED)
    assert record["findings"]["limited"] == said(LIMITED)
    assert record["steering"]["told"] == said(STEERED)
