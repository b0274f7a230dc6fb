"""What `/ui` is made of: our own files and three of others', small, under a strict policy."""

import re
from collections.abc import Iterator

import pytest

from api.dashboard.files import FOLDER
from tests.api.dashboard.vendor import VENDOR, integrity, packages
from tests.api.running import Running, running

BYTES_MAX = 120 * 1024


@pytest.fixture(scope="module")
def api() -> Iterator[Running]:
    with running() as found:
        yield found


def test_every_library_is_the_one_that_the_table_names() -> None:
    told = {name: file for package in packages() for name, file in package["files"].items()}

    assert told.keys() == {path.name for path in VENDOR.iterdir()} - {"vendor.json"}
    for name, file in told.items():
        assert integrity((VENDOR / name).read_bytes()) == file["sha512"], name
    assert all(package["archive"].startswith("sha512-") for package in packages())


def test_scripts_and_styles_are_small() -> None:
    found = [path for path in FOLDER.rglob("*") if path.suffix in {".js", ".css"}]

    assert sum(path.stat().st_size for path in found) <= BYTES_MAX


def test_the_page_and_all_that_it_names_are_served_under_the_policy(api: Running) -> None:
    page = api.get("/ui")
    named = set(re.findall(r'(?:src|href)="(/ui/[^"]+)"', page.text))
    for script in FOLDER.glob("*.js"):
        named |= {f"/ui/{name}" for name in re.findall(r'from "\./([^"]+)"', script.read_text())}

    assert named >= {"/ui/main.js", "/ui/style.css", "/ui/vendor/uplot.js"}
    for path in ("/ui", *sorted(named)):
        answer = api.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = api.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert api.get("/ui/main.js").headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    ("held", "status"),
    [
        ("{etag}", 304),
        ("W/{etag}", 304),
        ('"old", W/{etag}', 304),
        ("*", 304),
        ('"old"', 200),
        ('W/"old" , "older"', 200),
        ("", 200),
    ],
)
def test_what_a_browser_holds_is_not_sent_again(api: Running, held: str, status: int) -> None:
    """As proxies that compress say it, too: by a weak tag, or by several."""
    etag = api.get("/ui/main.js").headers["etag"]

    answer = api.get("/ui/main.js", headers={"if-none-match": held.format(etag=etag)})

    assert answer.status_code == status


@pytest.mark.parametrize("name", ["", "nothing.js", "vendor/vendor.json", "../weir.py"])
def test_nothing_else_is_served(api: Running, name: str) -> None:
    answer = api.get(f"/ui/{name}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_start_page_leads_there(api: Running) -> None:
    assert 'href="/ui"' in api.get("/").text
    assert 'href="/ui#/phishing/scores"' in api.get("/").text
