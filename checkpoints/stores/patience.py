"""How long a refusal of Redis is borne that nothing but an administrator's hand can end."""

import time
from collections.abc import Callable

from checkpoints.errors import StoreForbidden

__all__ = ["Patience"]

# So long a password or a rule may be wrong while somebody is changing it.
_REFUSED_S = 10.0


class Patience:
    """Refusals of one server in a row; the first answer between them begins anew.

    Args:
        limit_s: How long they may last.

    >>> now = [0.0]
    >>> patience = Patience(10.0, clock=lambda: now[0])
    >>> no = StoreForbidden("redis://cache/0", doing="say so", cause="no")
    >>> patience.refused(no)
    >>> now[0] = 11.0
    >>> patience.refused(no)
    Traceback (most recent call last):
    ...
    checkpoints.errors.StoreForbidden: Redis at redis://cache/0 could not say so: no; ...
    """

    def __init__(
        self, limit_s: float = _REFUSED_S, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit_s, self._clock = limit_s, clock
        self._since: float | None = None

    def answered(self) -> None:
        """It lets us do what we must."""
        self._since = None

    def refused(self, error: StoreForbidden) -> None:
        """It has refused us once more.

        Raises:
            StoreForbidden: `error`, once it has done so for longer than the limit.
        """
        now = self._clock()
        self._since = now if self._since is None else self._since
        if now - self._since > self._limit_s:
            raise error
