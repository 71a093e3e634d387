"""The one error a user is meant to read.

A `UserError` names the value that was refused, the limit it met and the remedy, in one
sentence that the page, the command line and the API show unchanged. Everything else that is
raised is a defect.
"""


class UserError(ValueError):
    """Refused input: the message names value, limit and remedy."""
