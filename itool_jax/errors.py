"""The one exception that the command line shows to its user as a paragraph instead of a traceback."""


class UserError(Exception):
    """Bad input from outside: says what is wrong, where, what was expected and found, and what to do."""
