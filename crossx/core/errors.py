"""The exceptions that are not defects: what a user can mend, and training that went wrong."""


class InputError(ValueError):
    """A user's mistake: the message names the field or file, the bad value, and what is legal.

    The command line prints the message alone and exits with 2; every other exception but `TrainingError` is a defect of
    ours and keeps its traceback.
    """


class TrainingError(RuntimeError):
    """Training cannot go on: the message says what was measured, at which step, and what usually helps.

    The command line prints the message alone and exits with 1.
    """
