"""What a plan says of the sound and the subtitles, as a person reads it who reads Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from pipelines.media import (
    AncillaryTrack,
    AudioTrack,
    Loudness,
    MixLoudness,
    SubtitleFault,
    SubtitleTrack,
    VideoTrack,
)
from pipelines.planning.plan import Plan, plan
from pipelines.profiles.profile import AudioProfile, Profile, profile
from pipelines.subtitles.ancillary import names
from pipelines.words import Words, zh_of
from tests.pipelines.sources import HD, PQ, STEREO, UHD, described

MONO = replace(STEREO, channels=1, layout="mono")
SURROUND = replace(STEREO, channels=6, layout="5.1(side)")
VIVID = replace(UHD, colour=PQ, hdr_vivid=True)
REMUX, ARCHIVE = profile("cn4k-hevc-vivid-remux"), profile("archive-ffv1")
HD_AVC, MOBILE, HD_TS = profile("hd-avc-sdr"), profile("mobile-540p"), profile("hd-avc-sdr-ts")


def decided(made: Plan) -> list[str]:
    return [zh_of(decision) for decision in made.decisions]


@pytest.mark.parametrize(
    ("audio", "inspected", "profiles", "told"),
    [
        (
            (SURROUND, MONO, MONO),
            {
                "audio_start_s": (Fraction(1, 10), Fraction(-1, 2), Fraction(9)),
                "audio_end_s": (Fraction(3), Fraction(5), Fraction(10)),
            },
            [HD_AVC, ARCHIVE],
            [
                "立体声由 6 个声道按 ITU-R BS.775 缩混（中置与环绕 -3 dB，不含 LFE），不整体压低",
                "音轨 1、2 只进入保存母版",
                "音轨 0 编为 ac3 的响度：编码时测量，并调整到 -24 LKFS",
                "第一条音轨是 AAC 立体声，第二条是 AC-3 5.1：所有播放器都能解码 AAC",
                "音轨 0 晚开始 100 ms：前面补静音",
                "音轨 2 完全在画面的时间之外：除保存母版外，不进入任何成品",
                "音轨 0 比画面早结束 1000 ms：后面补静音",
                "音轨 1 比画面晚结束 1000 ms：成品与画面同时结束",
            ],
        ),
        (
            (STEREO, replace(STEREO, beside="for the visually impaired")),
            {"loudness": (Loudness(0, -28.0, 5.0, -3.0),)},
            [HD_AVC],
            [
                "原样采用音轨 0",
                "音轨 1 是口述影像：不采用",
                (
                    "音轨 0 编为 aac 的响度：-28.0 LKFS，+4.0 dB 至 -24 LKFS，真峰值不超过 "
                    "-2 dBTP，由限幅器限制（不限幅则为 -27.5 LKFS）"
                ),
            ],
        ),
        (
            (STEREO,),
            {"loudness": (Loudness(0, None, None, None),)},
            [HD_AVC],
            ["音轨 0 编为 aac 的响度：保持原样，因为没有足够响、可供测量的声音"],
        ),
        (
            (replace(STEREO, codec="pcm_s24le", bit_depth=24),) * 2,
            {"data_channels": ((0, 1), ())},
            [HD_AVC],
            ["音轨 0 是数据（SMPTE ST 337，如 Dolby E），不是声音：只保留在保存母版中"],
        ),
        ((), {}, [HD_AVC], ["来源没有声音：成品也都没有声音"]),
    ],
)
def test_decisions_of_the_sound_are_told_in_chinese(
    audio: Sequence[AudioTrack],
    inspected: dict[str, Any],
    profiles: Sequence[Profile],
    told: list[str],
) -> None:
    made = plan(*described(HD, audio, **inspected), profiles)
    assert [one for one in told if one not in decided(made)] == []


def test_a_copys_sound_is_told_in_chinese() -> None:
    """What is copied, what is not and why, and how far off its loudness is."""
    audio = (replace(STEREO, codec="ac3"), replace(STEREO, codec="pcm_s24le", bit_depth=24))
    loud = (Loudness(0, -16.0, 5.0, -0.5),)
    copied = decided(plan(*described(VIVID, audio, loudness=loud), [REMUX]))
    assert [one for one in copied if "直接复制" in one or "不进入" in one] == [
        "音轨 0（ac3）逐包直接复制",
        "音轨 1 不进入 cn4k-hevc-vivid-remux：mp4 封装不支持 pcm_s24le",
        (
            "直接复制的音轨 0 的响度：-16.0 LKFS，偏离 -24 ± 2 LKFS 达 +8.0 LU，"
            "真峰值 -0.5 dBTP 超过 -2 dBTP；保持原样，因为直接复制不作任何改动"
        ),
    ]
    encoded = decided(plan(*described(VIVID, audio[1:]), [REMUX]))
    assert (
        "cn4k-hevc-vivid-remux 的声音重新编码，因为没有音轨可直接复制："
        "音轨 0（mp4 封装不支持 pcm_s24le）"
    ) in encoded


@pytest.mark.parametrize(
    ("picture", "audio", "inspected", "wanted", "told"),
    [
        (None, (), {}, profile("audio-access-aac"), "来源没有声音：请选用带画面的方案"),
        (
            HD,
            (),
            {"frames": 2},
            HD_TS,
            "只有 2 幅画面，而传输流至少要有 3 幅才能读出时钟与帧率：请选用 MP4 方案",
        ),
        (
            HD,
            (replace(STEREO, channels=12, layout="7.1.4"),),
            {},
            HD_AVC,
            (
                "hd-avc-sdr 要求的声音（立体声、5.1）无法由来源的声音（7.1.4）得到："
                "请选用能采用这种声音的方案"
            ),
        ),
        (
            HD,
            (STEREO,),
            {"changed_sounds": (0,)},
            HD_AVC,
            "音轨 0 的采样率或声道在来源中途改变，而每个成品只有一种：请在该处切开来源，分别上传",
        ),
        (
            HD,
            (STEREO,),
            {},
            replace(HD_AVC, audio=(AudioProfile("pcm", tracks=(2, 3), channels=2),)),
            "方案采用音轨 [2, 3]，而来源只有 1 条：请选用采用其他音轨的方案",
        ),
        (
            HD,
            (STEREO,),
            {"audio_start_s": (Fraction(-1),)},
            ARCHIVE,
            "音轨 0 比画面早开始 1000 ms，这部分会被裁去：请保留来源文件",
        ),
        (
            HD,
            (replace(STEREO, channels=16, layout=None),),
            {},
            ARCHIVE,
            "音轨 0 有 16 个声道，FLAC 只能容纳 8 个：请保留来源文件",
        ),
        (
            UHD,
            (),
            {},
            REMUX,
            (
                "cn4k-hevc-vivid-remux 直接复制画面，而来源没有可保留的 HDR Vivid 元数据："
                "请选用 cn4k-hevc-hlg 或 cn4k-hevc-pq"
            ),
        ),
    ],
)
def test_refusals_for_the_sound_or_a_copy_are_told_in_chinese(
    picture: VideoTrack | None,
    audio: Sequence[AudioTrack],
    inspected: dict[str, Any],
    wanted: Profile,
    told: str,
) -> None:
    made = plan(*described(picture, audio, **inspected), [wanted])
    assert [refusal.reason.zh for refusal in made.refused] == [told]


def test_a_rung_that_would_be_a_twin_is_refused_in_chinese() -> None:
    small = replace(HD, width=640, height=360)
    made = plan(*described(small), [profile("mobile-720p"), MOBILE])
    assert made.refused[0].reason.zh == "来源不大于 640×360，mobile-540p 已给出同样的画面"


def test_decisions_of_subtitles_are_told_in_chinese() -> None:
    """Where each track goes and why not elsewhere, with what an inspection said of it."""
    tracks = (
        SubtitleTrack(2, "subrip", text=True, language="zh", forced=True),
        SubtitleTrack(3, "dvb_subtitle", text=False, hearing_impaired=True),
        SubtitleTrack(4, "dvb_teletext", text=True, page=888),
        SubtitleTrack(5, "ass", text=True),
    )
    silent = SubtitleFault(4, Words("nothing stands on it", "页上没有内容"), 888)
    info, seen = described(
        replace(HD, captions=("cea-608",)),
        caption_channels=("CC1",),
        ancillary=(AncillaryTrack(9, names([(0x61, 1), (0x60, 0x60)]), ("CC1",)),),
        subtitle_faults=(silent,),
        unreadable_subtitles=(5,),
    )
    made = plan(replace(info, subtitles=tracks), seen, [MOBILE, ARCHIVE, HD_TS])
    assert [one for one in decided(made) if "字幕" in one] == [
        (
            "字幕轨 2（subrip、zh、强制）：在 mobile-540p 中转为 mov_text；在 archive-ffv1 中按 "
            "subrip 原样复制；在 HLS、DASH 包中为 WebVTT；不进入 hd-avc-sdr-ts"
        ),
        (
            "字幕轨 3（dvb_subtitle、听障）：在 archive-ffv1、hd-avc-sdr-ts 中按 dvb_subtitle "
            "原样复制；不进入 mobile-540p"
        ),
        "字幕轨 4（dvb_teletext、第 888 页）不在任何成品中：页上没有内容",
        (
            "字幕轨 5（ass）：在 archive-ffv1 中按 ass 原样复制；不进入 mobile-540p、"
            "hd-avc-sdr-ts，因为文字编码既不是 UTF-8 也不是 GB 18030：请修复该轨，或另附字幕文件"
        ),
        "隐藏字幕（CEA-608）保留在 mobile-540p、hd-avc-sdr-ts 的画面内",
        (
            "隐藏字幕（CEA-608）不进入 archive-ffv1 的画面：重新编码后，只有包含来源每一帧或"
            "每一场的 H.264、HEVC 才能保留"
        ),
        (
            "隐藏字幕 CC1 转为文本字幕：在 mobile-540p 中转为 mov_text；在 archive-ffv1 中转为 "
            "subrip；在 HLS、DASH 包中为 WebVTT"
        ),
        (
            "辅助数据轨 9（隐藏字幕（CEA-608/708） [61/01]、时码 [60/60]）不在任何成品中："
            "其隐藏字幕与画面内的相同"
        ),
    ]


def test_a_mix_that_nobody_hears_is_told_in_chinese() -> None:
    """What keeps a track from its loudness stands within the sentence."""
    quiet = (MixLoudness((0,), "downmix", -70.0, -40.0),)
    made = plan(*described(HD, (SURROUND,), mixes=quiet), [MOBILE])
    assert "音轨 0 编为 aac 的响度：保持原样，因为需提升 30 dB 以上" in decided(made)
