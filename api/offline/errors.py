"""What can go wrong with a model out of a file, besides the file itself."""


class RowRefusedError(ValueError):
    """These features are not answered, as the API would not answer them; nothing has changed.

    Attributes:
        reason: In the words of the API's problems, such as `wrong_type`.
        detail: What was wrong, and with which feature.
        row: Which of several, counted from 0; None where there was one.
    """

    exit_code = 6

    def __init__(self, reason: str, detail: str, *, row: int | None = None) -> None:
        where = "" if row is None else f"row {row}: "
        super().__init__(f"{where}{reason}: {detail}")
        self.reason, self.detail, self.row = reason, detail, row


class NotFitHereError(Exception):
    """The version was learned by what this Python does not have, or is not told to trust.

    Operator: install the release that the message names, or list the package under `trust`.
    """

    exit_code = 4


class AnsweringEndedError(Exception):
    """The process that answers beside this one is gone. Load the file again."""

    exit_code = 1
