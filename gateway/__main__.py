"""`goodgate`, and `python -m gateway`."""

import os
import sys


def main() -> int:
    """Run the command the arguments name and return its exit code."""
    # `serve` must not pay for the command framework: it starts in a fraction of a second
    # and stays small (docs/decisions/0003).
    arguments = sys.argv[1:]
    environ = os.environ  # noqa: TID251  # the one place it is read; everybody else is handed it
    if arguments[:1] == ["serve"]:
        from gateway.cli import serve  # noqa: PLC0415  # as above

        return serve.main(arguments[1:], environ)
    from gateway import cli  # noqa: PLC0415  # as above

    return cli.main(arguments, environ)


if __name__ == "__main__":
    raise SystemExit(main())
