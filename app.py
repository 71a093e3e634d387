"""Start the page: flags -> settings -> build_app -> launch."""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


def main() -> int:
    """Serve the page until interrupted; the exit code."""
    flags = _parser().parse_args()
    from spectcount.errors import UserError
    from spectcount.settings import load_settings

    try:
        settings = load_settings(flags.mode, flags.home, flags.device)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    from spectcount.ui import doors
    from spectcount.ui.app import build_app, launch_options

    host = flags.host or os.environ.get("GRADIO_SERVER_NAME")
    policy = doors.policy(settings, host)
    page = build_app(settings)
    page.launch(
        server_name=host,
        server_port=flags.port,
        prevent_thread_lock=True,
        **launch_options(settings, policy),
    )
    if policy.token is not None:
        print(f"Open it with its key: {page.local_url}?token={policy.token}", flush=True)
    page.block_thread()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app.py", description="Serve the SpectCount page.")
    parser.add_argument("--host", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    parser.add_argument("--home", help="folder for runs and the store (default: ~/.spectcount)")
    parser.add_argument("--mode", choices=("local", "demo"), help="what visitors may do")
    parser.add_argument("--device", help="auto, cpu, mps, cuda or cuda:N")
    return parser


if __name__ == "__main__":
    sys.exit(main())
