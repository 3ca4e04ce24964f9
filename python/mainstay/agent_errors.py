"""What a handler may raise to say how its failure is to be treated."""
from __future__ import annotations


class HandlerError(Exception):
    """Base of the two below; raise one of those.

    `code` is a short stable name that people can search for; `hint` says what to do about it;
    further keyword arguments become fields of the error's context.
    """

    permanent = False

    def __init__(self, message: str, *, code: str = "", hint: str = "",
                 **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__
        self.hint = hint
        self.fields = fields


class Retryable(HandlerError):
    """The attempt failed, and another one may succeed: a busy service, a lost connection."""


class Permanent(HandlerError):
    """The attempt failed, and no retry can help: the item fails at once."""

    permanent = True
