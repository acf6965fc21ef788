"""What is wrong with a request about access."""

from __future__ import annotations

from holdfast.model.errors import HoldfastError


class AccessError(HoldfastError):
    """The request about an account, a token or a secret cannot be met; `status` for the reply."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status
