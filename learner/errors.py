"""The learner's errors: what the user's model file asks for and cannot have."""


class SpecError(ValueError):
    """The model file names something that cannot be built, or that does not suit its task.

    Operator: correct the model file at `key`; the message names the nearest right name.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key, self.message = key, message
