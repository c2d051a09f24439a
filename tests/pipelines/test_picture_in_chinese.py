"""What a plan says of the picture, as a person reads it who reads Chinese."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from pipelines.colour.colour_types import StatedColour
from pipelines.media import Area, VideoTrack
from pipelines.planning.plan import Refused, plan
from pipelines.planning.plan_picture import plan_picture, understand
from pipelines.profiles.profile import Crop, Profile, profile
from pipelines.words import Words, zh_of
from tests.pipelines.sources import HD, PQ, UHD, described

PAL = replace(HD, width=720, height=576, field_order="tt", sample_aspect_ratio=None)
NTSC = replace(HD, field_order="tt", frame_rate=Fraction(30000, 1001))


def cropping(name: str, crop: Crop | str) -> Profile:
    base = profile(name)
    assert base.video is not None
    return replace(base, video=replace(base.video, crop=crop))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("picture", "inspected", "wanted", "told"),
    [
        (
            PAL,
            {},
            "uhd-upconvert-hlg",
            [
                "来源未说明像素比：720×576 按 4:3 处理，像素比为 16/15",
                (
                    "uhd-upconvert-hlg：像素比 16:15 的 720×576 放大为 2880×2160，"
                    "置于 3840×2160 中，左右各 480 列黑边"
                ),
                "隔行，顶场在先：以 bwdif 去隔行，uhd-upconvert-hlg 每场一帧",
            ],
        ),
        (
            replace(UHD, colour=PQ),
            {"damaged_pictures": 3},
            "cn4k-hevc-hlg",
            [
                "3 幅画面不能完整解码：成品显示解码器补出来的画面",
                (
                    "cn4k-hevc-hlg：PQ 转为 HLG，方法为 BT.2390 EETF；BT.2408 PQ 转 HLG，"
                    "标称显示器上的显示光不变（master_peak_cd_m2 4000、display_peak_cd_m2 1000、"
                    "hlg_system_gamma 1.2）"
                ),
            ],
        ),
        (
            replace(HD, pix_fmt="yuv422p10le", bit_depth=10, rotation_deg=90),
            {"constant_frame_rate": False},
            "mobile-540p",
            [
                "帧率可变：重采样为均匀的 25",
                "按文件要求旋转 90 度",
                "mobile-540p：4:2:2 10 位变为 4:2:0 8 位",
            ],
        ),
        (
            NTSC,
            {"seen_field_order": "bb", "pulldown_broken": True},
            "mobile-540p",
            [
                "标记为隔行、顶场在先，实为底场在先：以 bwdif 去隔行，mobile-540p 每两场一帧",
                "部分内容是以 2:3 场序播出的电影，但并非全片，或节奏中断：不还原下拉",
            ],
        ),
    ],
)
def test_decisions_are_told_in_chinese(
    picture: VideoTrack, inspected: dict[str, Any], wanted: str, told: list[str]
) -> None:
    made = plan(*described(picture, **inspected), [profile(wanted)])
    assert set(told) <= {zh_of(decision) for decision in made.decisions}


def test_a_timecode_and_a_single_piece_are_told_in_chinese() -> None:
    """Of many chunks one is made, and a transport stream has no place for the timecode."""
    seen = described(HD, frames=2000, timecode="10:00:00:24", steady_stamps=False)
    profiles = [profile("mobile-540p"), profile("hd-avc-sdr-ts")]
    made = plan(*seen, profiles, chunk_min_s=1)
    told = {zh_of(decision) for decision in made.decisions}
    assert "时码 10:00:00:24：mobile-540p 为 10:00:00:24；hd-avc-sdr-ts 不带时码" in told
    assert "不分块编码：时间戳无法说明各是哪一帧" in told


@pytest.mark.parametrize(
    ("picture", "inspected", "wanted", "told"),
    [
        (None, {}, profile("mobile-540p"), "来源没有画面：请选用 audio-access-aac"),
        (
            HD,
            {"constant_raster": False},
            profile("mobile-540p"),
            "画面的幅面或像素格式中途改变，而每个成品只有一种：请在该处切开后分别上传",
        ),
        (
            HD,
            {},
            profile("cn4k-hevc-hlg"),
            "1920×1080 小于 3840×2160，而 cn4k-hevc-hlg 绝不放大",
        ),
        (
            replace(UHD, frame_rate=Fraction(25)),
            {},
            profile("cn4k-hevc-hlg"),
            "25 fps 低于 cn4k-hevc-hlg 要求的 50，而帧绝不虚构",
        ),
        (
            HD,
            {},
            cropping("mobile-720p", Crop(top=540, bottom=540)),
            (
                "mobile-720p 裁去顶部 540 行、底部 540 行，1920×1080 中没有留下可显示的部分："
                "请换用其他方案"
            ),
        ),
        (
            HD,
            {"active_picture": Area(0, 0, 500, 1080)},
            cropping("mobile-720p", "bars"),
            "1920×1080 中只有 500×1080 曾亮于黑，其余过多，不会是黑边：mobile-720p 不作裁切",
        ),
        (
            HD,
            {"colour_in_doubt": Words("its tags say bt709, but", "来源的标识为 bt709，却")},
            profile("mobile-540p"),
            (
                "来源的标识为 bt709，却：请查看画面，再新建任务，以 `source_colour`"
                "（--source-colour）说明其色彩：as-tagged、sdr-709、sdr-2020、hlg、pq"
            ),
        ),
    ],
)
def test_refusals_are_told_in_chinese(
    picture: VideoTrack | None, inspected: dict[str, Any], wanted: Profile, told: str
) -> None:
    source = understand(*described(picture, **inspected))
    assert wanted.video is not None
    with pytest.raises(Refused) as refused:
        plan_picture(wanted, wanted.video, source)
    assert refused.value.reason.zh == told


def test_a_level_that_is_too_low_is_told_in_chinese() -> None:
    """What it does not allow stands within the sentence, in Chinese too."""
    base = profile("hd-avc-sdr")
    assert base.video is not None
    wanted = replace(base.video, level="4", max_frame_rate=None)
    source = understand(*described(replace(HD, frame_rate=Fraction(50))))
    with pytest.raises(Refused) as refused:
        plan_picture(base, wanted, source)
    assert refused.value.reason.zh == (
        "hd-avc-sdr 的级别 4 容不下 1920×1080 下的 50 fps（最多 30.12）："
        "请换用其他方案，或提高或不写级别"
    )


@pytest.mark.parametrize("stated", ["pq", "as-tagged"])
def test_a_stated_colour_is_told_in_chinese(stated: StatedColour) -> None:
    source = understand(*described(HD), stated)
    assert f"任务说明来源的色彩为 {stated}；其标识为 bt709/bt709/bt709" in {
        decision.zh for decision in source.decisions
    }
