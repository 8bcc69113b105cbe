"""``gemello serve``: start the service."""

import ctypes
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from gemello.commands.errors import CommandError

_PR_SET_DUMPABLE = 4
# From <malloc.h>.
_M_ARENA_MAX = -8


def register(app: typer.Typer) -> None:
    @app.command()
    def serve(
        host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
        port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
        model: Annotated[
            str | None, typer.Option(help="Model to serve: name or name/version.")
        ] = None,
        data_dir: Annotated[Path | None, typer.Option(help="Folder of the gallery.")] = None,
    ) -> None:
        """Start the service. Every other setting is a `GEMELLO_*` variable; see docs/settings.md.

        Example: `GEMELLO_GALLERY_DIR=photos gemello serve --port 9000`
        """
        share_heaps()
        import structlog

        from app.api.connections.server import Server, ServerConfig, raise_descriptor_limit
        from app.config import load_settings
        from app.main import create_app
        from app.telemetry.logs import configure_logs

        settings = load_settings(host=host, port=port, model=model, data_dir=data_dir)
        settings.check_exposure()
        configure_logs(settings.log_format, settings.log_level)
        raise_descriptor_limit()
        # What is stored is this user's alone.
        os.umask(0o077)
        hide_from_own_user()
        with listen(settings.host, settings.port) as listener:
            config = ServerConfig(create_app(settings))
            address, actual_port = listener.getsockname()[:2]
            shown = f"[{address}]" if ":" in address else address
            structlog.get_logger().info("listening", url=f"http://{shown}:{actual_port}/")
            Server(config).run(sockets=[listener])


def share_heaps() -> None:
    """Let all threads allocate from two heaps, where the C library can (glibc).

    It gives each thread one of its own otherwise, up to eight for a core, of which none gives back what
    one image of many took: 11,000 hostile ones took a quarter more memory than with two heaps.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_M_ARENA_MAX, 2)


def hide_from_own_user() -> None:
    """Close this process's memory and environment to other processes of its user, where Linux can.

    Decoders run as the same user, and a hostile picture that took one over could read the keys. No core
    dump is written either, which would hold images.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything is loaded. Raises ``CommandError`` when it is not free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as exc:
        raise CommandError(
            f"GEMELLO_HOST={host}, GEMELLO_PORT={port}: cannot listen there ({os.strerror(exc.errno or 0)})."
        ) from exc
    # Connections inherit it. asyncio sets it only where the listener's protocol is named, and without
    # it an answer waits for the caller's delayed acknowledgement: 40 ms on every kept-alive request.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # What a slow reader leaves lies in our buffers, where it is counted, not in the system's.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 256 * 1024)
    return listener
