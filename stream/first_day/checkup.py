"""`weir doctor --data`: the model file, then its first rows; no server is asked."""

from pathlib import Path
from typing import Any

from config.findings import Finding, error, fine
from config.model_file import ModelFile
from config.processes.scratch import private_folder
from learner.errors import SpecError
from stream.doctor import model_findings
from stream.first_day.findings import data_body, data_findings
from stream.first_day.rehearsal import rehearse
from stream.send.csv_file import CsvColumns


def checkup(path: Path, source: str, chosen: CsvColumns) -> tuple[list[Finding], dict[str, Any]]:
    """What there is to be said of a model and of the file that it is to learn.

    Args:
        path: The model file.
        source: Whatever `weir send` takes.
        chosen: Which columns are what.

    Returns:
        The findings, and the same of the file as numbers; none where the model file is wrong.

    Raises:
        SendError, UnknownStreamError: There is no such source, or an option does not suit it.
    """
    model_file, found = model_findings(path)
    if model_file is None:
        return found, {}
    found.append(fine("kafka, redis, keys", "not looked at: `weir doctor` without --data does"))
    return _rehearsed(model_file, source, chosen, found)


def _rehearsed(
    model_file: ModelFile, source: str, chosen: CsvColumns, found: list[Finding]
) -> tuple[list[Finding], dict[str, Any]]:
    try:
        with private_folder(None) as scratch:
            done = rehearse(model_file, source, chosen, scratch)
    except SpecError as wrong:
        problem = model_file.source.problem(wrong.key, wrong.message)
        mend = "mend the learner's own code, or take another learner"
        return [*found, error(problem.place, problem.told, mend, exit_code=2)], {}
    return [*found, *data_findings(model_file, done)], {"data": data_body(done)}
