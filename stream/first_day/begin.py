"""`weir init`: a file looked at, and a model file made of it that learns it."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from msgspec import Struct

from config.model_file import parse_model_file
from learner.check_model_file import spec_problems
from stream.first_day.look import look_at
from stream.first_day.model_text import model_name, model_text
from stream.first_day.proposal import Proposal, proposal_for
from stream.send.csv_file import CsvColumns


class Begun(Struct, frozen=True, kw_only=True):
    """A model file, and what it was made of.

    Attributes:
        text: The model file.
        proposal: What it says, and of which file.
        data: The file, and the options that say how it is read, as they are typed.
    """

    text: str
    proposal: Proposal
    data: str

    def told(self, output: Path | None) -> Iterator[str]:
        """What was found, and what to do next, a line each.

        Args:
            output: Where the model file is; None: it went to stdout.
        """
        look, aim = self.proposal.look, self.proposal.aim
        features = sum(nature.is_feature for _, nature in self.proposal.columns)
        yield (
            f"{look.path}: {look.extent} looked at: {aim.task} ({aim.why}), {features:,} columns "
            f"to learn from, {len(self.proposal.left_out) + len(look.unread):,} left out"
        )
        if aim.doubt:
            yield f"beware: {aim.doubt}"
        for leak in self.proposal.leaks:
            names = ",".join(leak.columns)
            yield (
                f"beware: {names}: {leak.told}. Where it is not known before the label, leave it "
                f"out:  --drop {shlex.quote(names)}"
            )
        if found := self.proposal.strongest:
            told = ", ".join(f"{it.column} ({it.short})" for it in found)
            yield (
                f"most telling, each alone: {told}. Is each known when the model is asked? Leave "
                "out all that is not:  --drop NAME,NAME"
            )
        if output is None:
            return
        yield f"next: weir doctor --model {shlex.quote(str(output))} --data {self.data}"


def begin(
    path: Path, chosen: CsvColumns, *, output: Path | None = None, drop: Sequence[str] = ()
) -> Begun:
    """A model file for a CSV file.

    Args:
        chosen: Its label is named.
        output: The model file's name, which is the model's, too; None: after the file.
        drop: Columns that are not to be learned from.

    Raises:
        SendError: The file cannot be read, or nothing can be learned from it; with what mends it.
        ModelFileError: What would have to be written is beyond what a model file may be.
    """
    proposal = proposal_for(look_at(path, chosen, drop))
    named = str(path) if not str(path).startswith("-") else f"./{path}"
    words = [named, *_options(chosen)]
    # What was not chosen is left out by the model, whose file says what it is.
    later = chosen if proposal.look.unread else replace(chosen, features=None)
    data = shlex.join([named, *_options(later)])
    stem = output.stem if output else path.name.removesuffix(".gz").removesuffix(".csv")
    text = model_text(
        proposal,
        name=model_name(stem),
        data=data,
        begun=shlex.join([*words, *(("--drop", ",".join(drop)) if drop else ())]),
        output=shlex.quote(str(output)) if output else "FILE",
    )
    problems = spec_problems(parse_model_file(text))
    assert not problems, f"the model file that was made cannot be built: {problems}"
    return Begun(text=text, proposal=proposal, data=data)


def _options(chosen: CsvColumns) -> list[str]:
    """How a file is read, as `weir init`, `weir doctor` and `weir send` are told it."""
    given = {
        "--label": chosen.label,
        "--id": chosen.id,
        "--columns": ",".join(chosen.features or ()),
        "--null": chosen.null,
        "--delimiter": (chosen.delimiter or "").replace("\t", "\\t"),
        "--decimal": chosen.decimal,
    }
    return [word for option, value in given.items() if value for word in (option, value)]
