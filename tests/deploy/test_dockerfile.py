"""The image's recipe, checked without an engine."""

import re
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
DOCKERFILE = TOP / "deploy" / "Dockerfile"
ROOMS = ("api", "checkpoints", "config", "learner", "stream")


def instructions():
    """(name, rest) of each instruction, continuation lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", " ", text)
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def of(name):
    return [rest for found, rest in instructions() if found == name]


def ignored_paths():
    """What `.dockerignore` lets through."""
    lines = (TOP / ".dockerignore").read_text().splitlines()
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def copied():
    """Paths of this repository that the image takes."""
    return [path for rest in of("COPY") if "--from" not in rest for path in rest.split()[:-1]]


def test_base_images_are_pinned_and_slim():
    """A version and a flavour, not `latest`."""
    for image in (rest.split()[0] for rest in of("FROM")):
        assert re.fullmatch(r"python:3\.\d+-slim-\w+", image)


def test_the_base_image_is_a_python_that_the_project_supports():
    """`requires-python` holds of it."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    oldest = int(project["requires-python"].removeprefix(">=3."))

    assert all(int(rest.split("-")[0].removeprefix("python:3.")) >= oldest for rest in of("FROM"))


@pytest.mark.parametrize("path", copied())
def test_what_is_copied_exists_and_reaches_the_builder(path):
    """It is in the repository, and `.dockerignore` lets it through."""
    relative = path.removeprefix("./")

    assert (TOP / relative).exists()
    assert relative in ignored_paths()


def test_every_room_and_the_lock_file_are_copied():
    """A room that is added later must not be forgotten here."""
    assert {*ROOMS, "weir.py", "pyproject.toml", "uv.lock"} <= set(copied())


def test_the_environment_is_the_locked_one():
    """uv of the Makefile's version, from the lock file, without the tools of developers."""
    makefile = (TOP / "Makefile").read_text()
    (version,) = re.findall(r"^UV_VERSION = (\S+)$", makefile, re.MULTILINE)
    runs = " ".join(of("RUN"))
    syncs = re.findall(r"uv sync [^&]*", runs)

    assert f"uv=={version}" in runs
    assert syncs
    assert all("--frozen" in sync and "--no-dev" in sync for sync in syncs)


def test_it_runs_as_nobody_in_particular():
    """A numeric user that is not root, set before the program starts."""
    names = [name for name, _ in instructions()]
    (user,) = of("USER")

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_it_says_what_it_is_and_whether_it_is_well():
    """OCI labels, and a healthcheck that the services only point elsewhere."""
    labels = " ".join(of("LABEL"))
    version = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["version"]

    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert f"ARG VERSION={version}" in DOCKERFILE.read_text()
    assert "HEALTH_URL" in " ".join(of("HEALTHCHECK"))


def test_programs_are_started_without_a_shell():
    """So that they get the signals that are meant for them."""
    for rest in (*of("ENTRYPOINT"), *of("CMD")):
        assert rest.startswith("[")
