"""Requests of a run that are not told one by one: how many there were, by host. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.model.json import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Host:
    """Requests to one host; the empty name stands for further hosts.

    `answered` and `failed` are parts of `sent`; `answered` by the first digit of the status, from
    1 to 5.
    """

    host: str
    made: int
    sent: int
    answered: tuple[int, ...]
    failed: int
    addresses: tuple[str, ...] = ()

    @property
    def under_way(self) -> int:
        """Sent, and no end is known."""
        return max(0, self.sent - sum(self.answered) - self.failed)

    @property
    def never(self) -> int:
        """Made, and not sent as far as is known."""
        return max(0, self.made - self.sent)

    @property
    def row(self) -> str:
        """One line for a person."""
        parts = [
            f"{count:,} answered {digit}xx"
            for digit, count in enumerate(self.answered, 1)
            if count
        ]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"{self.under_way:,} under way: fate unknown"] if self.under_way else []
        words = f"{self.host or 'other hosts'}: {self.sent:,} more were sent: {', '.join(parts)}"
        return words + (f"; {self.never:,} never left" if self.never else "")


@dataclass(frozen=True, slots=True)
class Beyond:
    """All of them. `whole`: nothing has come since these counts, as far as the run has told."""

    hosts: tuple[Host, ...] = ()
    whole: bool = True

    @classmethod
    def read(cls, body: JsonObject) -> Beyond:
        """From a record, or from `to_json`; what is strange is left out."""
        hosts = body.get("hosts")
        listed = hosts if isinstance(hosts, list) else []
        found = (_host(item) for item in listed if isinstance(item, dict))
        return cls(tuple(found), body.get("whole") is True)

    def to_json(self) -> JsonObject:
        """For `--json` and the API."""
        hosts: list[Json] = [
            {
                "host": item.host,
                "made": item.made,
                "sent": item.sent,
                "answered": [*item.answered],
                "failed": item.failed,
            }
            for item in self.hosts
        ]
        return {"hosts": hosts, "whole": self.whole}

    @property
    def rows(self) -> list[str]:
        """Lines for a person."""
        least = "" if self.whole else "at least, "
        return [f"{least}{item.row}" for item in self.hosts]

    @property
    def addresses(self) -> set[str]:
        """Of the connections that they were sent on."""
        return {address for item in self.hosts for address in item.addresses}

    @property
    def made(self) -> int:
        return sum(item.made for item in self.hosts)

    @property
    def answered(self) -> int:
        return sum(sum(item.answered) for item in self.hosts)

    @property
    def failed(self) -> int:
        return sum(item.failed for item in self.hosts)

    @property
    def under_way(self) -> int:
        return sum(item.under_way for item in self.hosts)

    @property
    def never(self) -> int:
        return sum(item.never for item in self.hosts)


def _host(item: JsonObject) -> Host:
    answered, addresses = item.get("answered"), item.get("addresses")
    return Host(
        str(item.get("host") or "")[:1000],
        _count(item.get("made")),
        _count(item.get("sent")),
        tuple(map(_count, answered[:5])) if isinstance(answered, list) else (),
        _count(item.get("failed")),
        tuple(map(str, addresses[:20])) if isinstance(addresses, list) else (),
    )


def _count(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
