"""Every reason for which GreyFox refuses, and the failures behind them.

    Refused                     answered to the caller in the caller's own dialect
    ├── Unauthenticated         401 (407 towards a proxy client)
    ├── Forbidden               403
    ├── BadRequest              400
    ├── TooLarge                413
    ├── HeadTooLarge            431
    ├── Unsupported             415
    ├── MethodNotAllowed        405
    ├── UpgradeRequired         426
    ├── NoRoute                 404
    ├── QuotaExhausted          429, not retryable
    ├── QuotaBusy               429, retryable in a second
    ├── RateLimited             429, retryable
    ├── NotCached               504, the caller asked for a stored answer only
    ├── UpstreamFailed          502
    ├── UpstreamTimeout         504
    └── Unavailable             503: GreyFox cannot enforce, so it does not let pass
        └── StoreUnavailable    503: the database did not answer
    ConfigError                 a configuration that cannot be used (never reaches a caller)

A `Refused` knows its status, its machine-readable code and a sentence that a person can act on. The sentence
goes to the caller: it never holds a key, a prompt or an answer.
"""

from typing import ClassVar, Self


class Refused(Exception):
    """A request that is not served; `message` is one or more full sentences for the caller."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "greyfox_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after: int | None = None, param: str | None = None) -> None:
        """`retry_after` is whole seconds; `param` names the request's field that is at fault."""
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.param = param

    def at_rest(self) -> Self:
        """To be kept: without the frames that it came through, which hold all that the request was made of."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class Unauthenticated(Refused):
    status = 401
    code = "greyfox_unauthenticated"


class Forbidden(Refused):
    status = 403
    code = "greyfox_forbidden"


class BadRequest(Refused):
    status = 400
    code = "greyfox_bad_request"


class TooLarge(Refused):
    status = 413
    code = "greyfox_too_large"


class HeadTooLarge(Refused):
    status = 431
    code = "greyfox_too_large"


class Unsupported(Refused):
    status = 415
    code = "greyfox_unsupported"


class MethodNotAllowed(Refused):
    status = 405
    code = "greyfox_bad_request"


class UpgradeRequired(Refused):
    status = 426
    code = "greyfox_unsupported"


class NoRoute(Refused):
    status = 404
    code = "greyfox_no_route"


class QuotaExhausted(Refused):
    status = 429
    code = "greyfox_quota_exhausted"


class QuotaBusy(Refused):
    status = 429
    code = "greyfox_quota_busy"
    retryable = True


class RateLimited(Refused):
    status = 429
    code = "greyfox_rate_limited"
    retryable = True


class NotCached(Refused):
    status = 504
    code = "greyfox_not_cached"


class UpstreamFailed(Refused):
    status = 502
    code = "greyfox_upstream_failed"
    retryable = True


class UpstreamTimeout(Refused):
    status = 504
    code = "greyfox_upstream_timeout"
    retryable = True


class Unavailable(Refused):
    status = 503
    code = "greyfox_unavailable"
    retryable = True


class StoreUnavailable(Unavailable):
    """The database did not answer or refused; nothing may be assumed about what was written."""


class ConfigError(Exception):
    """A configuration that cannot be used. The text is ready to be shown, line numbers included."""
