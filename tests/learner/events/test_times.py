"""Times of RFC 3339: every day that there is, and no other."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from learner.events.times import is_rfc3339


@given(st.dates())
def test_every_day_is_one(day):
    """Leap years included."""
    assert is_rfc3339(f"{day.isoformat()}T23:59:60Z")


def test_no_other_day_is_one():
    """Over the years that a century's rule meets, by the calendar."""
    days = {date(1896, 1, 1) + timedelta(n) for n in range(366 * 210)}
    written = {each.isoformat() for each in days}
    for year in (1900, 1996, 2000, 2023, 2024, 2100):
        for month in range(14):
            for day in range(33):
                text = f"{year}-{month:02d}-{day:02d}"
                assert is_rfc3339(f"{text}T00:00:00Z") == (text in written), text
