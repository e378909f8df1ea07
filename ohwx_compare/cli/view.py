"""`ohwx view`: a run's page in the browser, with all that needs a program behind it."""

import argparse
import signal
import sys
import webbrowser
from pathlib import Path

from ohwx_compare.errors import ExperimentError

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Show a run's page in the browser. It is the page that lies in the folder, with what a page from disk cannot "
        "do: it follows a run that is being generated, and keeps what you decide. It is served to this machine alone, "
        "at an address that carries a secret, until you press Ctrl-C. No model is needed."
    )
    parser.epilog = "example: ohwx view my-comparison --open"
    parser.add_argument("folder", metavar="RUN", type=Path, help="run folder")
    parser.add_argument(
        "--models", metavar="DIR", type=Path, dest="winners", help="the webui's folder of checkpoints, for the winner"
    )
    parser.add_argument(
        "--photos", metavar="DIR", type=Path, help="photographs of you, for blind votes (default: the recipe's)"
    )
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="port to listen on (default: a free one)")
    parser.add_argument(
        "--adopt", action="store_true", help="take over a run that was made elsewhere, so that marks go into its ledger"
    )
    parser.add_argument("--open", action="store_true", help="open the page in your browser")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Returns the exit status."""
    from ohwx_compare.files.gallery import pictures
    from ohwx_compare.files.ledger.marks import keep_marks
    from ohwx_compare.files.ledger.reader import read_summary
    from ohwx_compare.look.server import PageServer

    if options.photos:
        pictures([options.photos])  # what is no folder of pictures is said here, too
    if options.adopt:
        keep_marks(options.folder, (), adopt=True)
    read_summary(options.folder)  # what is no run is said here, not in the browser
    try:
        server = PageServer(options.folder, port=options.port, models=options.winners, photos=options.photos)
    except (OSError, OverflowError) as error:
        raise ExperimentError(f"Port {options.port} cannot be listened on: {error}. Choose another one.") from error
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts a command with "&" deaf to it
    with server:
        try:
            print(server.url, flush=True)
            print("Press Ctrl-C to stop.", file=sys.stderr)
            if options.open:
                webbrowser.open(server.url)
            server.serve_forever()
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
    return 0


def _port(text: str) -> int:
    """0 to 65535."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"expected a port, 0 to 65535, got {text!r}")
    return int(text)
