"""The documents and the code say the same: nothing is left out, nothing is made up."""

import re
import shlex
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from api.app import create_app
from api.http.problem import TITLES
from checkpoints.stores.in_memory.store import MemoryStore
from config.model.late_labels import LateLabels
from config.model_file import ModelFile, parse_model_file
from config.settings import Settings, load_settings
from config.text.sizes import size_bytes
from config.text.variables import variable_names
from learner.build import build_estimator
from learner.drift.detectors import DETECTORS
from learner.values import Reason
from tests.api.running import KEYS, PHISHING, by_line
from tests.command_lines import NotUnderstoodError, commands, options, understood
from tests.deploy.metric_names import registries

TOP = Path(__file__).resolve().parents[1]
REFERENCE = TOP / "docs" / "reference"
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")


def name_of(path):
    return path.relative_to(TOP).as_posix()


def blocks(path, *languages):
    """The contents of the fenced blocks of these languages."""
    return [text for language, text in _FENCE.findall(path.read_text()) if language in languages]


def rows(text):
    """The rows of all tables in `text`, each a list of cells, heads left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = {n - 1 for n, row in enumerate(cells) if set("".join(row)) <= {"-", ":"}}
    rules = {n + 1 for n in heads}
    return [row for n, row in enumerate(cells) if n not in heads | rules]


def codes(cell):
    """What stands between backquotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def page(name):
    return (REFERENCE / name).read_text()


def section(text, heading):
    """What stands below a heading, up to the next of its level."""
    level = heading.split()[0]
    found = re.search(rf"(?ms)^{re.escape(heading)}\n(.*?)(?=^{level} |\Z)", text)
    assert found, heading
    return found[1]


def documented(name, heading=None):
    """The names in the first column of a page's tables, or of one section's."""
    text = page(name) if heading is None else section(page(name), heading)
    return [code for row in rows(text) for code in codes(row[0])]


# --- the command line


def test_every_command_is_documented():
    """A section each, none of a command that is not there."""
    sections = re.findall(r"^## weir ([\w-]+(?: \w+)?)$", page("command-line.md"), re.MULTILINE)

    assert sorted(sections) == sorted(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_is_documented(name):
    """A row each, none of an option that is not there."""
    named = documented("command-line.md", f"## weir {name}")

    assert sorted(each.split()[0] for each in named) == sorted(options(commands()[name]))


def shell_lines(path):
    """Each command line of `weir` in a page's shell blocks, continuation lines joined."""
    for block in blocks(path, "sh", "console"):
        joined = re.sub(r"\\\n\s*", " ", block)
        for line in joined.splitlines():
            text = re.sub(r"^\$ ", "", line.strip())
            text = re.sub(r"^(?:[A-Z_]+=\S+ )+|^docker compose exec \w+ ", "", text)
            if re.match(r"(\.venv/bin/)?weir ", text):
                yield shlex.split(text, comments=True)[1:]


WRITTEN = [(name_of(path), words) for path in PAGES for words in shell_lines(path)]


@pytest.mark.parametrize(("where", "words"), WRITTEN, ids=lambda each: str(each)[:70])
def test_commands_in_the_documents_would_be_understood(where, words, tmp_path, monkeypatch):
    """Parsed by the program itself; files that they name are there."""
    monkeypatch.chdir(tmp_path)
    for word in words:
        if word.endswith((".yaml", ".weir")):
            (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / word).touch()

    understood(words)


@pytest.mark.parametrize("words", [["lern"], ["rollback", "m", "v3"], ["status", "m", "--jason"]])
def test_a_command_that_is_wrong_is_not_understood(words):
    """The check above would notice."""
    with pytest.raises(NotUnderstoodError):
        understood(words)


# --- settings and model file


def default_of(settings, path):
    for part in path:
        settings = getattr(settings, part)
    return settings


def as_written(value):
    """A default as the tables have it."""
    if value is None or value == ():
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_every_setting_is_documented_with_its_default():
    """By its variable."""
    tables = [row for row in rows(page("settings.md")) if row[0].startswith("`WEIR_")]
    written = {codes(row[0])[0]: "".join(codes(row[1])) for row in tables}
    names = variable_names(Settings)

    assert written == {name: as_written(default_of(Settings(), names[name])) for name in names}


def keys_of(schema, above=""):
    """(dotted key, default) of each key of a model file; `*` stands for a name or a place."""
    for name, field in schema.model_fields.items():
        inner, many = _inner(field.annotation)
        default = field.get_default(call_default_factory=True)
        if inner is None or many:
            yield f"{above}{name}", default
        if inner is not None:
            yield from keys_of(inner, f"{above}{name}.*." if many else f"{above}{name}.")


def _inner(annotation: Any) -> tuple[Any, bool]:
    """The section that an annotation holds, and whether it holds many."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    is_union = get_origin(annotation) in {Union, UnionType}
    found = [_inner(each)[0] for each in get_args(annotation)]
    section = next((each for each in found if each is not None), None)
    return section, (section is not None and not is_union) or any(
        _inner(each)[1] for each in get_args(annotation)
    )


def test_every_key_of_the_model_file_is_documented():
    """By its dotted name."""
    assert sorted(documented("model-file.md")) == sorted(name for name, _ in keys_of(ModelFile))


@pytest.mark.parametrize(
    ("key", "default"),
    [(k, d) for k, d in keys_of(ModelFile) if type(d) in {int, float}],
)
def test_a_limit_is_documented_with_its_default(key, default):
    """Sizes as people write them."""
    (written,) = [codes(row[1])[0] for row in rows(page("model-file.md")) if f"`{key}`" in row[0]]
    value = size_bytes(written) if written.endswith("iB") else float(written)

    assert value == default


def test_every_detector_is_documented():
    """By the name that the model file has; River's class names are understood besides."""
    (row,) = [row for row in rows(page("model-file.md")) if "`drift.*.detector`" in row[0]]

    assert set(codes(row[2])) == DETECTORS.keys() - {"HDDMA", "HDDMW"}


SECTIONS = {path[0] for path in variable_names(Settings).values()}
YAML = [(path, text) for path in PAGES for text in blocks(path, "yaml")]


@pytest.mark.parametrize(("path", "text"), YAML, ids=lambda each: getattr(each, "stem", ""))
def test_yaml_in_the_documents_loads(path, text, tmp_path):
    """A model file builds its learner; other files are settings, or lists of API keys."""
    content = yaml.safe_load(text)
    if isinstance(content, dict) and content.keys() == {"late_labels"}:
        assert LateLabels.model_validate(content["late_labels"]).horizon
    elif "learner" in content:
        model = parse_model_file(text, file=name_of(path))
        if model.learner.python is None:
            build_estimator(model, tmp_path)
    elif isinstance(content, dict) and content.keys() <= SECTIONS:
        file = tmp_path / "weir.yaml"
        file.write_text(text)
        load_settings(environ={}, file=file)
    else:
        assert all(set(entry) == {"id", "sha256", "scopes", "who"} for entry in content)


@pytest.mark.parametrize("path", [p for p in PAGES if blocks(p, "python")], ids=name_of)
def test_python_in_the_documents_compiles(path):
    """Whoever copies it has a program."""
    for text in blocks(path, "python"):
        assert compile(text, name_of(path), "exec").co_code


# --- HTTP, metrics, reasons, exit codes


def test_every_route_is_documented_with_its_scope(tmp_path):
    """A heading each, and what a key must be for."""
    settings = load_settings(environ={"WEIR_DATA_DIR": str(tmp_path)})
    app = create_app(settings, by_line(parse_model_file(PHISHING)), MemoryStore(), KEYS)
    scopes = {
        f"{method} {each.path}": each.needs for each in app.operations for method in each.methods
    }
    headings = re.findall(r"^### `(\w+ \S+)`$", page("http.md"), re.MULTILINE)

    assert sorted(headings) == sorted(scopes)
    for heading, scope in scopes.items():
        text = section(page("http.md"), f"### `{heading}`")
        assert scope in {None, "operate"} or f"Scope `{scope}`." in text, heading


def test_every_error_code_is_documented():
    """What a client may rely on."""
    assert sorted(documented("http.md", "## Errors")) == sorted(TITLES)


def test_every_metric_is_documented_with_its_type_and_labels():
    """As the two registries have them."""
    for heading, registry in zip(("## The learner's", "## The API's"), registries(), strict=True):
        written = {
            codes(row[0])[0]: (row[1], tuple(codes(row[2])))
            for row in rows(section(page("metrics.md"), heading))
        }
        assert written == dict(_families(registry))


def _families(registry):
    endings = {"counter": "_total", "info": "_info"}
    for collector in registry._collector_to_names:
        for family in collector.describe():
            labels = getattr(collector, "_labelnames", getattr(family, "_labelnames", ()))
            name = family.name + endings.get(family.type, "")
            yield name, (family.type, tuple(labels))


def test_every_reason_is_documented():
    """Why an event may be refused."""
    (table,) = re.findall(r"\| Reason \|.*", page("events-and-dead-letters.md"), re.DOTALL)

    assert [code for row in rows(table) for code in codes(row[0])] == [str(each) for each in Reason]


def test_every_exit_code_is_documented():
    """Those of the errors, and those of the program itself."""
    rooms = ("api", "checkpoints", "config", "learner", "stream")
    found = {
        code
        for path in (TOP / "weir.py", *(p for room in rooms for p in (TOP / room).rglob("*.py")))
        for code in re.findall(
            r"exit_code(?:: ClassVar\[int\])? = (\d+)|EXIT_CODE = (\d+)|typer\.Exit\((\d+)\)",
            path.read_text(),
        )
    }
    numbers = {number for each in found for number in each if number} | {"0"}

    assert set(documented("exit-codes.md")) == numbers


# --- links


def prose(path):
    """A page without its fenced blocks."""
    return _FENCE.sub("", path.read_text())


def anchors(path):
    """The anchors of a page's headings, as they are made of them."""
    heads = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    """To a file of the repository, and to a heading that it has."""
    broken = []
    for link in _LINK.findall(prose(path)):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme():
    """None is forgotten."""
    reached, waiting = set(), [TOP / "README.md"]
    while waiting:
        path = waiting.pop()
        reached.add(path)
        links = [link.partition("#")[0] for link in _LINK.findall(path.read_text())]
        found = {(path.parent / link).resolve() for link in links if link.endswith(".md")}
        waiting += [each for each in found if each in PAGES and each not in reached]

    assert {name_of(each) for each in PAGES} - {name_of(each) for each in reached} == set()
