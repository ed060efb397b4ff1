"""The one error that a user is meant to see."""


class SpeedflowError(Exception):
  """A problem that the user can mend.

  The message is a single line that names the file, what was found in it,
  what was wanted, and the remedy. The command line prints the line and exits
  with code 2; it never shows a traceback for it.
  """
