"""The one place where an error becomes an HTTP status.

The table has a row for every `code` that a `KapokError` of this repository carries; a test holds it
and `docs/errors.md` to that. Errors of steps are never answers of a request: they are shown in
`error` of a job, a step or an upload, with the same codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """The status that machines act on, and the title that people read, in both languages."""

    status: int
    title_en: str
    title_zh: str


TABLE: Mapping[str, Row] = {
    # The request itself.
    "malformed_json": Row(400, "The body is not valid JSON", "请求体不是有效的 JSON"),
    "invalid_cursor": Row(400, "The cursor is not one of ours", "游标无效"),
    "invalid_text": Row(422, "The text cannot be stored", "文本无法存储"),
    "invalid_request": Row(422, "A field is wrong", "字段有误"),
    "invalid_checksum_file": Row(422, "The checksum file cannot be used", "校验文件无法使用"),
    "body_too_large": Row(413, "The body is too large", "请求体过大"),
    "body_too_slow": Row(408, "The body did not come in time", "请求体未能及时送达"),
    "head_too_large": Row(431, "The headers are too large", "请求头过大"),
    "head_too_slow": Row(408, "The headers did not come in time", "请求头未能及时送达"),
    "unsupported_content_type": Row(415, "The body is not sent as JSON", "请求体类型不是 JSON"),
    "bad_request": Row(400, "The request cannot be read", "请求无法解析"),
    "route_not_found": Row(404, "There is nothing at this path", "路径不存在"),
    "method_not_allowed": Row(405, "This path does not take that method", "该路径不支持此方法"),
    "idempotency_key_reused": Row(422, "The Idempotency-Key is taken", "幂等键已用于其他请求"),
    # Who asks.
    "api_key_missing": Row(401, "An API key is needed", "需要 API 密钥"),
    "api_key_invalid": Row(401, "The API key is not valid", "API 密钥无效"),
    "forbidden": Row(403, "The role of this key may not do that", "该密钥的角色无此权限"),
    # What is not there, or belongs to another organisation.
    "not_found": Row(404, "Not found", "未找到"),
    "organisation_not_found": Row(404, "No such organisation", "机构不存在"),
    "api_key_not_found": Row(404, "No such API key", "API 密钥不存在"),
    "upload_not_found": Row(404, "No such upload", "上传不存在"),
    "asset_not_found": Row(404, "No such asset", "素材不存在"),
    "job_not_found": Row(404, "No such job", "任务不存在"),
    "rendition_not_found": Row(404, "No such rendition", "成品不存在"),
    "package_not_found": Row(404, "No such package", "打包不存在"),
    "zone_not_found": Row(404, "No such zone", "专区不存在"),
    "publication_not_found": Row(404, "No such publication", "发布不存在"),
    "object_missing": Row(404, "No such object in the store", "对象不存在"),
    "multipart_not_found": Row(404, "No such multipart upload in the store", "分片上传不存在"),
    "not_made_yet": Row(404, "It is not made yet", "尚未生成"),
    "unknown_profile": Row(422, "No such profile", "没有这个编码方案"),
    "invalid_profile": Row(422, "The profile is wrong", "编码方案有误"),
    "profile_unavailable": Row(422, "No worker can do that profile", "没有可用该方案的工作进程"),
    "unknown_part": Row(422, "The upload has no such part", "该上传没有这个分片"),
    # States that do not allow it.
    "conflict": Row(409, "Its state does not allow that", "当前状态不允许此操作"),
    "upload_not_open": Row(409, "The upload is not open", "上传已结束"),
    "part_missing": Row(409, "Parts are missing", "分片不完整"),
    "part_superseded": Row(
        409, "Another PUT took the place of this part", "该分片已被另一次上传取代"
    ),
    "name_taken": Row(409, "The name is taken", "名称已被占用"),
    "last_admin_key": Row(409, "It is the last admin key", "最后一个管理员密钥不能撤销"),
    "version_conflict": Row(412, "It was changed since you read it", "读取之后已被修改"),
    "job_conflict": Row(409, "The job's state does not allow that", "任务状态不允许此操作"),
    "draft_changed": Row(409, "What would be published changed", "待发布的内容已变化"),
    "already_published": Row(409, "It is already in that zone", "已发布到该专区"),
    "not_published": Row(409, "It is not published", "未发布"),
    "receipt_mismatch": Row(
        409, "The receipt disagrees with the publication", "回执与发布清单不符"
    ),
    "gate_closed": Row(409, "The gate of the zone is closed", "专区准入条件未满足"),
    "object_exists": Row(409, "Objects are never changed", "对象不可更改"),
    # The bytes of an upload, and signed URLs.
    "upload_too_large": Row(413, "The file is too large for this installation", "文件超出上限"),
    "object_too_large": Row(413, "The object is too large for that", "对象过大"),
    "part_too_small": Row(422, "A part is too small", "分片过小"),
    "part_size_mismatch": Row(400, "The part has not the size it must have", "分片大小不符"),
    "body_cut_short": Row(400, "The part did not arrive whole", "分片传输中断"),
    "size_mismatch": Row(422, "The size is not the declared one", "文件大小与声明不符"),
    "hash_mismatch": Row(422, "The hash is not the declared one", "哈希值与声明不符"),
    "invalid_signature": Row(403, "The signed URL was altered", "签名无效"),
    "url_expired": Row(403, "The signed URL has expired", "签名链接已过期"),
    "range_not_satisfiable": Row(416, "The range lies outside of the file", "请求范围超出文件"),
    # The essence.
    "invalid_media": Row(422, "The media is not usable", "媒体文件不可用"),
    "empty_file": Row(422, "The file is empty", "文件为空"),
    "unsupported_media": Row(422, "Kapok does not open this kind of file", "不支持的媒体格式"),
    "truncated_media": Row(422, "The file is cut off", "文件不完整"),
    "no_essence": Row(422, "There is no picture and no sound in it", "没有可解码的画面或声音"),
    "incomplete_source": Row(422, "Files of the source are missing or wrong", "来源文件缺失或有误"),
    "no_such_programme": Row(422, "The file has no such programme", "文件中没有这个节目"),
    "undecodable_media": Row(422, "The media is damaged", "媒体内容损坏"),
    "limit_exceeded": Row(422, "The media is beyond a limit", "媒体超出限制"),
    "nothing_to_encode": Row(422, "No profile fits this source", "没有适用的编码方案"),
    "verification_failed": Row(422, "A rendition disagrees with its plan", "成品与方案不一致"),
    # What runs underneath.
    "not_ready": Row(503, "Not ready", "服务未就绪"),
    "catalogue_unavailable": Row(503, "The catalogue does not answer", "目录数据库无响应"),
    "catalogue_full": Row(507, "The catalogue's disk is full", "目录数据库所在磁盘已满"),
    "store_refused": Row(503, "The object store refuses", "对象存储拒绝访问"),
    "store_unavailable": Row(503, "The object store does not answer", "对象存储无响应"),
    "worker_stopping": Row(503, "The worker is stopping", "工作进程正在停止"),
    "worker_lost": Row(500, "Workers died at this step", "执行该步骤的工作进程多次中断"),
    "disk_full": Row(507, "There is no room", "磁盘空间不足"),
    "too_little_memory": Row(507, "A worker has too little memory", "工作节点内存不足"),
    "cancelled": Row(409, "It was cancelled", "已取消"),
    "lease_lost": Row(409, "Another worker has this step", "该步骤已由其他工作进程接管"),
    "tool_failed": Row(500, "A media tool failed", "媒体工具出错"),
    "tool_killed": Row(500, "A media tool was killed", "媒体工具被中止"),
    "tool_crashed": Row(500, "A media tool crashed", "媒体工具崩溃"),
    "tool_stalled": Row(500, "A media tool stood still", "媒体工具停滞"),
    "tool_missing": Row(500, "A media tool is missing", "缺少媒体工具"),
    "invalid_settings": Row(500, "A setting is wrong", "配置有误"),
    "unknown_broker": Row(500, "The broker's URL is wrong", "消息队列地址有误"),
    "internal_error": Row(500, "Kapok failed", "内部错误"),
}


def row_of(code: str) -> Row:
    """The row of a code; one that the table does not know counts as a fault of Kapok."""
    return TABLE.get(code, TABLE["internal_error"])
