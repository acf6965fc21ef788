"""Causes outside of the code: the network, other systems, limits, this machine."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from holdfast.diagnosis.adaptors import ADAPTORS
from holdfast.diagnosis.ending import Ending, Found, shortened
from holdfast.diagnosis.entry import Turn
from holdfast.diagnosis.near import nearest
from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import MEBIBYTE

_STATUS = range(400, 600)
_DIGITS = re.compile("[0-9]{3}")
#: A part of an address that JavaScript makes of a missing value. Behind the `?` many systems ask
#: for null by its name. `engine/javascript/requests.mjs` has it, too.
_HOLE = re.compile(
    r"[/=:.,&](undefined|NaN|\[object(?:%20| )Object\])(?=$|[/?&#:.,])|^[^?]*?/(null)(?=$|[/?#.])"
)
_TLS = ("CERT", "SELF_SIGNED", "UNABLE_TO_VERIFY", "ERR_TLS", "ERR_SSL", "EPROTO", "DEPTH_ZERO")
_SLOW = ("ETIMEDOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "UND_ERR_CONNECT_TIMEOUT",
         "ESOCKETTIMEDOUT", "ABORT_ERR")  # fmt: skip
_BROKEN = ("ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "ECONNABORTED", "HPE_", "UND_ERR_RES_CONTENT")
_UNREACHABLE = ("EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN")
#: Share of a run's time that it computed, from which on it is taken for a loop.
_BUSY = 0.6
#: Below this one sample of a run that also waits for answers proves nothing.
_SELDOM = 0.2
#: Share of the limit that embedded data needs, from which on it is the cause of too much memory:
#: in any phase, and while the code is loaded.
_MOSTLY, _PARTLY = 0.5, 0.2
_MEGABYTE = 1_000_000
_LOOP = "most likely a loop that does not end"
_PERHAPS = "a loop that does not end, or the work of that moment"


def network(end: Ending) -> Found | None:
    """A request that did not get an answer."""
    for cause in reversed(end.causes):
        code = str(cause.get("code") or "")
        target = _target(cause, end)
        if code in ("EACCES", "EPERM") and cause.get("syscall") in ("connect", None):
            return refused(end, target)
        found = _by_code(code, cause, target)
        if found is not None:
            return found
    return None


def refused(end: Ending, target: str) -> Found:
    """A connection that the policy did not allow; the shim knows the rule."""
    known = dict(end.refused)
    rule = known.get(target)
    if rule is None and end.refused:
        target, rule = end.refused[-1]
    wider = "" if (rule or "").startswith("lan") else "`--egress lan` for private networks, or "
    return Found("HF1301", {"target": target, "rule": rule or "of this worker", "wider": wider})


def _by_code(code: str, cause: JsonObject, target: str) -> Found | None:
    message = shortened(str(cause.get("message") or code))
    if code in ("ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "ENODATA", "ESERVFAIL"):
        host = str(cause.get("hostname") or target)
        temporary = code != "ENOTFOUND"
        said = "the name server did not answer" if temporary else "there is no such name"
        return Found("HF1302", {"host": host, "said": said}, Turn.OPERATOR if temporary else None)
    if code.startswith(_TLS) or code.startswith("ERR_TLS") or "certificate" in message.lower():
        return Found(
            "HF1303",
            {
                "host": target,
                "said": _tls_words(code, message),
                "advice": _tls_advice(code, message),
            },
        )
    if code == "ECONNREFUSED":
        return Found("HF1304", {"target": target})
    if code in _SLOW:
        return Found("HF1306", {"target": target, "said": message})
    if code.startswith(_BROKEN):
        return Found("HF1305", {"target": target, "said": message})
    if code in _UNREACHABLE:
        return Found("HF1304", {"target": target})
    if message == "bad port":
        return Found("HF1307", {"said": f"fetch does not connect to the port of {target}"})
    return None


def _tls_words(code: str, message: str) -> str:
    """Without OpenSSL's own file and line."""
    if "wrong version number" in message or code == "EPROTO":
        return "what listens there does not speak TLS"
    return message


def _tls_advice(code: str, message: str) -> str:
    if "EXPIRED" in code or "expired" in message:
        return "The other system must renew its certificate."
    if "ALTNAME" in code or "does not match" in message:
        return "The certificate is for another host name: correct the address."
    if code.startswith(("EPROTO", "ERR_SSL")):
        return "The port does not speak TLS: write http:// or the right port."
    return (
        "The operator names the authority that signed it: NODE_EXTRA_CA_CERTS of the worker. "
        "Certificates that signed themselves are not accepted without that."
    )


def _target(cause: JsonObject, end: Ending) -> str:
    address, port = cause.get("address") or cause.get("hostname"), cause.get("port")
    if address:
        text = f"[{address}]" if ":" in str(address) else str(address)
        return f"{text}:{port}" if port else text
    for item in end.causes:
        if url := _bare(item.get("url")):
            return urlsplit(url).netloc or url
    found = re.search(r"https?://([^\s/'\"`?]+)", str(end.facts.get("code")))
    return found[1] if found else "the other system"


def _bare(url: object) -> str:
    """An address without user, password and query."""
    if not isinstance(url, str):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as an address of IPv6 without its end
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else parts.path


def hole_in(address: str) -> str | None:
    """What stands in an address where a value was missing."""
    found = _HOLE.search(address)
    return found and (found[1] or found[2]).replace("%20", " ")


def collections(end: Ending) -> Found | None:
    """Collections that are asked for where there are none."""
    if re.search(r"collections_(?:endpoint|token) not set", end.message):
        return Found("HF1204", {"said": end.said})
    return None


def answered(end: Ending) -> Found | None:
    """A request that was answered with a failure."""
    for cause in end.causes:
        status = _status(cause)
        if status is None:
            continue
        method = str(cause.get("method") or "").upper()
        request = " ".join(
            part for part in (method, _bare(cause.get("url") or cause.get("path"))) if part
        )
        body = shortened(str(cause.get("body") or ""), 200)
        words = str(cause.get("statusText") or cause.get("statusMessage") or "")
        if status in (400, 404, 405, 410, 422) and (hole := hole_in(request)) is not None:
            said = f"{request} (answered {status})"
            return Found("HF1313", {"request": said, "hole": hole})
        values = {
            "request": request or "The request",
            "status": f"{status} {words}".strip(),
            "answer": f" It said: {body}." if body and body != "{}" else "",
        }
        return Found(_code_of(status), {**values, **_refusal(status, end)})
    return None


def _refusal(status: int, end: Ending) -> dict[str, str]:
    """What an answer says of who asks, and what to do about it."""
    given = _object(_object(end.facts.get("state")).get("configuration"))
    if status == 401 and not given:
        meaning = "it wants to know who asks, and this step has no credential"
        advice = (
            "Give the step a credential: user name and password, or a token, that holds there."
        )
        return {"meaning": meaning, "advice": advice}
    if status == 403:
        meaning = "it knows who asks, and does not allow this"
        return {"meaning": meaning, "advice": "Give that user the right there, or ask as another."}
    meaning = "it does not accept the credential"
    advice = "Check user name, password or token of the step's credential: wrong, or run out?"
    return {"meaning": meaning, "advice": advice}


def _status(cause: JsonObject) -> int | None:
    for key in ("statusCode", "status", "code"):
        value = cause.get(key)
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
        if isinstance(number, int) and number in _STATUS:
            return number
    found = re.search(
        r"\b(?:status|code|HTTP|failed with)(?: code)?(?: does not exist)?:? ?([45]\d\d)\b",
        str(cause.get("message")),
        re.IGNORECASE,
    )
    return int(found[1]) if found else None


def _code_of(status: int) -> str:
    if status in (401, 403, 407):
        return "HF1308"
    if status in (404, 405, 410):
        return "HF1309"
    if status == 429:
        return "HF1311"
    return "HF1310" if status < 500 and status != 408 else "HF1312"


def address(end: Ending) -> Found | None:
    """An address that is none."""
    words = " ".join([end.message, *(str(cause.get("message")) for cause in end.causes)])
    if "Invalid URL" not in words and "Failed to parse URL" not in words:
        return None
    found = re.search(r"Failed to parse URL from (\S+)", words)
    return Found("HF1307", {"said": found[1] if found else end.said})


def limits(end: Ending) -> Found | None:
    """A limit was reached."""
    if end.error_type == "TimeoutError":
        return _timeout(end)
    if end.error_type == "OOMError":
        return _out_of_memory(end)
    if end.error_type == "StateTooLargeError":
        return Found("HF1404", {"said": end.said})
    if end.error_type in ("OutputLimitError", "DiskLimitError"):
        return Found("HF1405", {"said": end.said})
    return None


def _out_of_memory(end: Ending) -> Found:
    memory, notes = (_object(end.evidence.get(key)) for key in ("memory", "notes"))
    limit, embedded = memory.get("limit"), _object(notes.get("embedded"))
    megabytes = str(limit // MEBIBYTE) if isinstance(limit, int) else "?"
    size, needs = embedded.get("bytes"), embedded.get("forecast_mb")
    if isinstance(size, int) and isinstance(needs, (int, float)) and isinstance(limit, int):
        needs *= _MEGABYTE
        before = _object(end.evidence.get("place")).get("phase") in ("compile", "load")
        if needs >= limit * _MOSTLY or (before and needs >= limit * _PARTLY):
            said = f"The run needed more memory than its {megabytes} MB{end.where}"
            values = {"size": f"{size / _MEGABYTE:.1f} MB", "said": said}
            return Found("HF1406", {**values, "holders": str(embedded.get("holders"))})
    largest = notes.get("largest")
    grew = f" Largest known part: {largest}." if largest else ""
    return Found("HF1403", {"limit": megabytes, "where": end.where, "grew": grew})


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _timeout(end: Ending) -> Found:
    evidence = end.evidence
    limit = evidence.get("timeout_ms") or _milliseconds(end.message)
    seconds = f"{limit / 1000:g}" if isinstance(limit, int) else "?"
    took, used = evidence.get("duration_ms"), evidence.get("cpu_ms")
    known = isinstance(took, int) and isinstance(used, int) and took
    share = used / took if isinstance(took, int) and isinstance(used, int) and took else 0.0
    notes = evidence.get("notes")
    computing = notes.get("computing") if isinstance(notes, dict) else None
    hot = notes.get("hot") if isinstance(notes, dict) else None
    busy = computing is True or (computing is None and share >= _BUSY)
    # amid a request a process may compute for a moment: only a line of the author's proves a loop
    if busy and (not end.pending or (hot and not (known and share < _SELDOM))):
        running = f"; line {hot.get('line')} was running" if isinstance(hot, dict) else ""
        where = end.where + running
        return Found(
            "HF1402",
            {
                "limit": seconds,
                "share": str(min(100, round(share * 100))),
                "where": where,
                "likely": _LOOP if share >= _BUSY or not known else _PERHAPS,
            },
        )
    if end.pending:
        what = f" for an answer to {end.pending[-1]}"
        advice = "See whether the other system answers at all; ask it for less at a time."
    else:
        what = ""
        advice = (
            "No request was without an answer, so see what else the code waits for there: a pause "
            "(setTimeout), or a promise."
        )
    turn = None if end.pending else Turn.AUTHOR
    values = {"limit": seconds, "what": what, "where": end.where, "advice": advice}
    return Found("HF1401", values, turn)


def _milliseconds(message: str) -> int | None:
    found = re.search(r"(\d+)ms", message)
    return int(found[1]) if found else None


def installing(end: Ending) -> Found | None:
    """What the worker could not bring together for the run."""
    if end.error_type == "AutoinstallError":
        near = nearest(_adaptor_of(end.message), ADAPTORS)
        unreachable = any(
            word in end.message
            for word in ("registry", "network", "ENOTFOUND", "reach", "timed out")
        )
        advice = (
            "The worker must reach the npm registry, or have the adaptor: `holdfast adaptors install`."
            if unreachable
            else f"Did you mean {near[0]}? Check name and version."
            if near
            else "Check name and version: `holdfast adaptors ls` shows those that are here."
        )
        turn = Turn.OPERATOR if unreachable else None
        return Found("HF1501", {"said": end.said, "advice": advice}, turn)
    if end.error_type == "CredentialLoadError":
        return Found("HF1203", {"said": end.said})
    return None


def _adaptor_of(message: str) -> str:
    found = re.search(r"@openfn/language-([\w-]+)", message)
    return found[1] if found else ""


_MACHINE = {"SetupError", "StorageError", "HostOutOfMemory", "EngineFailure"}
_INTERRUPTED = {"HostRestarted", "ExternalKill", "ShimLost"}
_OURS = {
    "CompilerFailure",
    "EngineCrash",
    "UnknownEnd",
    "ProtocolViolation",
    "ExecutionError",
    "EventRejected",
}
_LOST = {"LostAfterClaim", "LostAfterStart", "Lost"}


def machine(end: Ending) -> Found | None:
    """What neither the author nor the other system can mend."""
    if end.reason == "cancel" or end.error_type == "Cancelled":
        return Found("HF1904", {"where": end.where})
    if end.error_type in _MACHINE:
        return Found("HF1901", {"said": end.said})
    if end.error_type in _INTERRUPTED:
        return Found("HF1902", {"said": end.said})
    if end.error_type in _LOST or end.reason == "lost":
        return Found("HF1905", {"said": end.said or "its last word was lost"})
    if end.error_type in _OURS:
        return Found("HF1903", {"said": end.said})
    return None
