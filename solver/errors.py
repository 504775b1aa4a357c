"""The error types of Cheval. Only these leave a public function; each carries the exit status of the command line."""


class ChevalError(Exception):
    """Base of every error that Cheval raises on purpose. The message is one line that names the thing and the cure."""

    exit_status = 3


class UsageError(ChevalError):
    """The caller asked for something that does not exist (wrong option, unknown name)."""

    exit_status = 2


class InputError(ChevalError):
    """A file, folder or recording cannot be used."""


class NotAPersonError(InputError):
    """What is in view, or in the mesh, is not a person standing upright."""


class TrackingLostError(ChevalError):
    """The person could not be followed and was not found again."""


class DeviceLostError(ChevalError):
    """The camera went away."""

    exit_status = 4
