"""``gemello serve``: start the service."""

from pathlib import Path
from typing import Annotated

import typer


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
        import uvicorn

        from app.config import load_settings
        from app.logs import configure_logs
        from app.main import create_app

        settings = load_settings(host=host, port=port, model=model, data_dir=data_dir)
        settings.check_exposure()
        configure_logs(settings.log_format, settings.log_level)
        uvicorn.run(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=30,
        )
