"""`reprise serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import session
from serving.runner import serve as start
from warehouse.errors import RepriseError


def register(app: typer.Typer) -> None:
    @app.command()
    def serve(
        context: typer.Context,
        host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
        port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on.")] = None,
        bare: Annotated[bool, typer.Option("--bare", help="The lookups alone, without BentoML: faster.")] = False,
    ) -> None:
        """Serve the current release over HTTP until it is stopped.

        Ctrl-C or SIGTERM stops it, once the requests at work are done. A new release is taken up by itself.
        """
        shell = session(context)
        workspace = shell.workspace()
        serving = workspace.settings.serving
        try:
            with start(workspace, host or serving.host, port or serving.port, bare=bare) as service:
                service.wait_ready()
                line = f"serving on {service.url} (Ctrl-C stops); try {service.url}/v1/release"
                shell.answer({"url": service.url, "release": f"{service.url}/v1/release"}, [line])
                code = service.wait()
        except KeyboardInterrupt:
            # The way to end it, so no failure.
            shell.say("stopped")
            return
        if code:
            raise RepriseError(f"The service ended by itself (exit code {code}).", hint="What it printed says why.")
