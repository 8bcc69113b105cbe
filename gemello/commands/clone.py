"""Commands that need ``app`` or ``trainer``, which a clone and the container have and the wheel lacks."""

from pathlib import Path

_OURS = frozenset({"app", "trainer"})
_APP = Path(__file__).resolve().parents[2] / "app"


def explanation(exc: BaseException, command: str) -> str | None:
    """Return in a sentence what stopped ``command``, such as ``gemello serve``.

    That is a module that is missing, or an error of ``app``'s and ``trainer``'s own. None for any other
    error, which is a fault of ours and deserves its traceback.
    """
    if lacks_clone(exc):
        return (
            f"`{command}` runs from a clone or the container, and this is the client alone: clone "
            "Gemello's repository, and run `make setup` there (`make setup-train` to train)."
        )
    if isinstance(exc, ModuleNotFoundError):
        return (
            f"`{command}` needs {exc.name}, which is not installed: run `make setup` in the clone, or "
            "`make setup-train` to train."
        )
    return str(exc) if _is_ours(exc) else None


def lacks_clone(exc: BaseException) -> bool:
    """Return whether ``exc`` is an import that fails because there is no clone.

    That of ``app`` or ``trainer``, or of what they need; a package of the user's own with such a name,
    which lacks what ours has, counts as well.
    """
    if not isinstance(exc, ImportError):
        return False
    ours = (exc.name or "").partition(".")[0] in _OURS
    return ours or (isinstance(exc, ModuleNotFoundError) and not _APP.is_dir())


def _is_ours(exc: BaseException) -> bool:
    # By name: importing `app` to find out could import a package of the user's own.
    return any(
        (kind.__module__, kind.__name__) == ("app.errors.base", "GemelloError")
        for kind in type(exc).__mro__
    )
