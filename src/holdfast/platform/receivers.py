"""Posts to addresses that people of a project have set: never into the platform's own network.

The name is looked up, its addresses are checked by a policy of egress, and the connection goes to
the address that was checked: a name that means something else a moment later changes nothing. No
proxy is used, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import httpx

from holdfast.model.json import JsonObject
from holdfast.sandbox.egress import Address, Policy, option_of
from holdfast.sandbox.hosts import own_addresses

#: Threads of their own, more than receivers that are told at once: a name server that hangs holds
#: a thread for longer than anybody waits for it.
_LOOKERS = ThreadPoolExecutor(256, "holdfast-names")


class NotTold(Exception):  # noqa: N818 - states a fact
    """The receiver has not taken it; the text says why, without its address."""


async def post(url: str, key: str, message: JsonObject, *, egress: str, seconds: float) -> None:
    """Post JSON, with the same key for each try, so that a receiver can know it again.

    `egress`: a policy as people write it. `seconds`: for all of it. Raises NotTold.
    """
    try:
        async with asyncio.timeout(seconds):
            target = httpx.URL(url)
            allowed = await _allowed(target, egress)
            patience = httpx.Timeout(seconds, connect=seconds / len(allowed))
            for address in allowed:
                try:
                    status = await _post_to(address, target, key, message, patience)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    problem: Exception = error
                    continue
                break
            else:
                raise problem
    except TimeoutError as error:
        message_ = f"the receiver did not answer within {seconds:g} s"
        raise NotTold(message_) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        message_ = f"the receiver cannot be reached ({type(error).__name__})"
        raise NotTold(message_) from error
    if not 200 <= status < 300:
        message_ = f"the receiver answered {status}"
        raise NotTold(message_)


@cache
def _context() -> ssl.SSLContext:
    """Made once: it reads all authorities."""
    return httpx.create_ssl_context()


async def _allowed(target: httpx.URL, egress: str) -> list[Address]:
    """The addresses of a name that may be connected to: one at least. Raises NotTold, OSError."""
    host = target.raw_host.decode("ascii")
    port = target.port or (443 if target.scheme == "https" else 80)
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_LOOKERS, look_up)
    addresses = [ipaddress.ip_address(item[4][0]) for item in found]
    policy = Policy.from_option(option_of(egress), own_addresses=own_addresses())
    known = dict.fromkeys(_spellings(policy, host), frozenset(addresses))
    refusals = {item: policy.refusal(item, port, known) for item in addresses}
    allowed = [item for item, refusal in refusals.items() if refusal is None]
    if not allowed:
        why = next(iter(refusals.values()), None)
        message = f"the receiver's address is not allowed ({why}; see HOLDFAST_ALERTS_EGRESS)"
        raise NotTold(message)
    return allowed


def _spellings(policy: Policy, host: str) -> list[str]:
    """How the policy writes this name: in any alphabet, or as `xn--…`, or with a dot behind."""
    return [listed for listed in policy.hosts if _as_sent(listed) == _as_sent(host)]


def _as_sent(host: str) -> str:
    """A name as name servers know it."""
    try:
        return httpx.URL(scheme="http", host=host).raw_host.decode("ascii").rstrip(".")
    except httpx.InvalidURL:
        return host


async def _post_to(
    address: Address, target: httpx.URL, key: str, message: JsonObject, patience: httpx.Timeout
) -> int:
    """The answer's status. The certificate is checked for the name, not for the address."""
    async with httpx.AsyncClient(verify=_context(), trust_env=False, timeout=patience) as client:
        sending = client.stream(
            "POST",
            target.copy_with(host=str(address)),
            json=message,
            headers={"host": target.netloc.decode("ascii"), "idempotency-key": key},
            extensions={"sni_hostname": target.raw_host.decode("ascii")},
        )
        async with sending as answer:
            return answer.status_code
