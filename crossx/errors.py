"""The one exception for what a user can mend."""


class InputError(ValueError):
    """A user's mistake: the message names the field or file, the bad value, and what is legal.

    The command line prints the message alone and exits with 2; every other exception is a defect of ours and keeps
    its traceback.
    """
