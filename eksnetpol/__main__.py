"""``python -m eksnetpol``, and the script of the same name."""

from __future__ import annotations


def main() -> None:
    """Run the command line with the process's own arguments, and exit."""
    from eksnetpol.cli.entry import main as enter

    enter()


if __name__ == "__main__":
    main()
