"""Addresses as they may stand in a log or an error."""

__all__ = ["without_password"]


def without_password(url: str) -> str:
    """The address without user, password and options, also where it cannot be read as one.

    Everything up to the last `@` goes, for a password with a `/` or `#` in it ends a URL's host too
    early for any parser.

    >>> without_password("rediss://weir:secret@cache.example:6380/2?password=secret")
    'rediss://cache.example:6380/2'
    >>> without_password("redis://:s#cr/t@cache:6379/0")
    'redis://cache:6379/0'
    """
    scheme, _, rest = url.partition("://")
    place = rest.rpartition("@")[2]
    return f"{scheme}://{place.partition('?')[0].partition('#')[0]}"
