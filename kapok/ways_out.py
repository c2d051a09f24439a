"""Cause and way out in Chinese, for errors whose own text is English wherever it comes from.

The media logic, the API and the operating system speak English; a person who reads Chinese sees
this sentence first, and the English one with its names and numbers below it. By code, so that
errors of this machine, of the service and of a job's steps read alike.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kapok.errors import Usage
from kapok.language import t
from kapok.names import readable
from pipelines.errors import DiskFull, KapokError

WAYS_OUT: Mapping[str, str] = {
    # The essence.
    "empty_file": "文件没有内容：请重新导出或拷贝。",
    "unsupported_media": "不是能打开的媒体或字幕文件：请把媒体换成 MP4、MOV、MXF、MPEG-TS、MKV、"
    "WAV，字幕换成 UTF-8 的 SubRip、WebVTT、ASS 或 TTML。",
    "truncated_media": "文件不完整：请重新拷贝或导出。",
    "no_essence": "没有可解码的画面或声音：请先在播放器中检查该文件，再重新导出。",
    "incomplete_source": "来源的文件不完整或互相不符：请按下列说明重新拷贝。",
    "no_such_programme": "没有这个节目号：请从下列节目中选择。",
    "undecodable_media": "媒体内容损坏或标注有误：请重新导出。",
    "limit_exceeded": "媒体超出限制，英文说明指出是哪一项：请拆分或重新导出后再试。",
    "unknown_profile": "没有这个编码方案或阶梯：请用 `kapok profile list` 查看后再选。",
    "profile_unavailable": "没有工作进程能做所选方案，原因见下：请换用其他方案。",
    "nothing_to_encode": "所选方案都不适用于该源文件，逐项原因见下：请按原因处理，或换用其他方案。",
    "verification_failed": "成品与方案不一致，未予放行：请重试；仍失败请连同日志上报。",
    "hash_mismatch": "收到的字节与声明的哈希值不符：请核对文件与校验值，再重新上传。",
    "size_mismatch": "收到的大小与声明不符：请重新上传。",
    "invalid_checksum_file": "校验文件无法使用：请更正，或用 --checksum-file 另选一个。",
    # Who asks, and for what.
    "api_key_missing": "没有提供 API 密钥：请用 --api-key-file 指定密钥文件。",
    "api_key_invalid": "密钥不存在或已撤销：请检查所用的密钥，或向管理员索取新的。",
    "forbidden": "该密钥的角色无权这样做：请改用下面列出的角色的密钥。",
    "invalid_request": "有内容填写不当：请按下面所列逐项更正。",
    "asset_not_found": "编号有误，或素材尚未通过校验：请用 `kapok asset list` 核对。",
    "job_not_found": "编号有误，或属于其他机构：请用 `kapok job list` 核对。",
    "zone_not_found": "专区名称有误：请用 `kapok zone list` 查看后再选。",
    "draft_changed": "核对文件期间有任务完成或专区被修改：请重新发布。",
    "already_published": "素材已在该专区：请先撤回，或用 `--replace`（API 为 `replace`）取代。",
    "job_conflict": "任务的状态不允许这样做，或另一任务正在（或已经）处理该素材的其他节目："
    "请查看任务后按下列说明处理。",
    "invalid_cursor": "游标属于其他服务或机构，或目录库后来由备份恢复：请从头开始"
    "（`kapok pull --since 0`），已有的完整文件不会重新下载。",
    # What runs underneath.
    "too_little_memory": "内存不足：请调高 KAPOK_MEMORY_BYTES、减少成品，或换更大的机器后重试。",
    "disk_full": "磁盘空间不足：请清理磁盘（或请服务管理员清理）后重试。",
    "catalogue_unavailable": "服务的数据库没有应答：请稍后重试；仍不行请联系服务管理员。",
    "catalogue_full": "服务的数据库所在磁盘已满：请清理磁盘（或请服务管理员清理）后重试。",
    "store_unavailable": "对象存储没有应答：请稍后重试；仍不行请联系服务管理员。",
    "tool_failed": "媒体工具出错：请重试；仍失败请连同日志上报。",
    "tool_killed": "媒体工具被系统中止，常因内存不足：请释放内存后重试。",
    "tool_crashed": "媒体工具崩溃，重试也会如此：请换用其他方案或重新导出源文件，并附日志上报。",
    "tool_stalled": "媒体工具长时间没有进展：请重试；仍如此请检查源文件。",
    "worker_lost": "工作进程多次中断，常因内存不足：请查看日志后重试。",
    "tool_missing": "缺少媒体工具：请运行 `kapok doctor` 查看。",
    "invalid_settings": "配置有误：请按英文说明中的变量名更正。",
}
OS_REASONS: Mapping[int, str] = {
    errno.ENOENT: "文件不存在",
    errno.EACCES: "没有访问权限",
    errno.EPERM: "没有访问权限",
    errno.EISDIR: "这是目录",
    errno.ENOTDIR: "路径中有一段不是目录",
    errno.EROFS: "磁盘是只读的",
    errno.EIO: "磁盘读写出错",
}


def way_out(code: str, detail: str) -> str:
    """The sentence for a Chinese reader, or nothing: 请 says that the detail has a way out."""
    return t("", "" if "请" in detail else WAYS_OUT.get(code, ""))


def reason(error: Mapping[str, Any]) -> str:
    """Why a job or a step failed, from its record: code and detail, below the way out."""
    said = f"{error.get('code', 'failed')}: {error.get('detail', '')}".strip(": ")
    return "\n".join(filter(None, [way_out(str(error.get("code")), said), said]))


def os_reason(error: OSError) -> str:
    """What the operating system says, in the reader's language where it is usual."""
    english = error.strerror or str(error)
    return t(english, OS_REASONS.get(error.errno or 0, english))


class LocalFault(KapokError):
    """The operating system refused something on this machine."""

    code = "local_fault"


def there_already(path: Path) -> Usage:
    """A file that may be the only one of its master is not replaced unasked."""
    name = readable(path)
    return Usage(
        t(
            f"{name} is there already: give another name or folder, remove it, or say --overwrite",
            f"{name} 已存在：请换一个文件名或目录、先删除它，或加上 --overwrite",
        )
    )


def of_system(error: OSError) -> KapokError:
    """The same as an error of ours: with a code, and with the way out."""
    where = f"{readable(str(error.filename))}: " if error.filename else ""
    text = f"{where}{os_reason(error)}"
    if error.errno == errno.ENOSPC:
        return DiskFull(
            t(f"{text}: free some space, then run it again", f"{text}：请释放磁盘空间后重试")
        )
    return LocalFault(t(text, f"{text}：请检查路径、权限与磁盘"))
