"""Why a command cannot do what it was asked; each message is one sentence for people.

CommandError       it cannot be done here
└── OptionInvalid  an option has a value that cannot be used
"""


class CommandError(Exception):
    """A command cannot do what it was asked."""


class OptionInvalid(CommandError):
    """The value of ``option`` cannot be used, for ``reason``."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}.")
        self.option, self.reason = option, reason
