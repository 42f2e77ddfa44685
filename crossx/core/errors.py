"""User errors and training failures, as opposed to bugs."""


class InputError(ValueError):
    """A user's mistake; the message names the field or file, what must hold, and what was given.

    The command line prints the message without a traceback and exits with 2. Every other exception except
    `TrainingError` is a bug and keeps its traceback.
    """


class TrainingError(RuntimeError):
    """Training that cannot continue; the message has the measured value, the step, and what usually helps.

    The command line prints the message without a traceback and exits with 1.
    """
