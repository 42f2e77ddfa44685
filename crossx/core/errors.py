"""User errors and failures of work, as opposed to bugs."""


class InputError(ValueError):
    """A user's mistake; the message names the field or file, what must hold, and what was given.

    The command line prints the message without a traceback and exits with 2. Every other exception except
    `TrainingError` and `WorkError` is a bug and keeps its traceback.
    """


class TrainingError(RuntimeError):
    """Training that cannot continue; the message has the measured value, the step, and what usually helps.

    The command line prints the message without a traceback and exits with 1.
    """


class WorkError(RuntimeError):
    """Work on files that cannot continue, such as on a full disk; the message says what is kept and how to go on.

    The command line prints the message without a traceback and exits with 1.
    """
