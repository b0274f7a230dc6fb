"""What can be wrong with what the user wrote, told all at once and each at its place."""

from collections.abc import Iterable

from msgspec import Struct


class Mistake(Struct, frozen=True, kw_only=True):
    """One thing to mend: where it stands and what is wrong with it.

    Args:
        file: The file as the user named it, or `environment`, or `command line`.
        line: 1-based line of that file; 0 where there is none.
        key: Dotted path of the key, or the environment variable's name; may be empty.
        message: What is wrong and what would be right, without a full stop.

    >>> print(Mistake(file="m.yaml", line=3, key="task", message="is missing"))
    m.yaml:3: task: is missing
    """

    file: str
    line: int
    key: str
    message: str

    @property
    def place(self) -> str:
        """`file:line`, or the file alone."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def told(self) -> str:
        """The key, and what is wrong with it."""
        return ": ".join(part for part in (self.key, self.message) if part)

    def __str__(self) -> str:
        return f"{self.place}: {self.told}"


class ConfigError(Exception):
    """Something the user wrote cannot be used; nothing was started.

    Operator: mend every line listed and start again. Restarting unchanged cannot help,
    which is what exit code 2 tells a supervisor.
    """

    exit_code = 2

    def __init__(self, problems: Iterable[Mistake]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[tuple[Mistake, ...]]]:
        return type(self), (self.problems,)


class ModelFileError(ConfigError):
    """The model file cannot be used. Operator: mend the lines listed in it."""


class SettingsError(ConfigError):
    """The process settings cannot be used. Operator: mend the names and values listed."""
