"""``python -m eksnetpol``, and the script of the same name."""

from __future__ import annotations


def main() -> None:
    """Run the command line with the process's own arguments, and exit."""
    try:
        from eksnetpol.cli.entry import main as enter
    except KeyboardInterrupt:
        # Nothing has begun yet, and nothing is there yet to say so with.
        raise SystemExit(130) from None
    enter()


if __name__ == "__main__":
    main()
