"""The console script: what is asked for is read here, done in `commands`, and refused here in one sentence."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from rnnkit_kernels.cuda_gpu.missing import NoDevice
from rnnkit_kernels.sentences import unknown

from . import __version__
from .commands import bench, course, doctor, gradcheck, train

__all__ = ["main"]

_COMMANDS = {"train": train, "doctor": doctor, "gradcheck": gradcheck, "course": course, "bench": bench}

_EXAMPLES = """\
examples:
  rnnkit train                      a GRU on a built-in hourly temperature
  rnnkit train --data station.csv   on your own: CSV, GISS or Central England
  rnnkit gradcheck                  is every cell's gradient right?
  rnnkit course                     the course's systems on real data
  rnnkit doctor                     what is installed, and what would run
  rnnkit bench --quick              speed beside PyTorch's, in a checkout

'rnnkit COMMAND --help' tells the options of a command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    arguments  as on the command line, without the name of the program; None takes sys.argv
    returns    0; 1 where a gradient is wrong; 2, with one sentence on standard error, for what is refused; 130 after
               Ctrl-C where there was nothing to save
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and not given[0].startswith("-") and given[0] not in _COMMANDS:
            raise unknown("command", given[0], _COMMANDS)
        parser = _parser()
        try:
            options = parser.parse_args(given)
        except SystemExit as end:  # --help and --version are 0, a refusal has been said and is 2
            return int(end.code or 0)
        if options.command is None:
            parser.print_help()
            return 0
        code = _COMMANDS[options.command].run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _refuse("stopped", 130)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
    except (ValueError, TypeError, ArithmeticError, MemoryError, ImportError, NoDevice) as error:
        return _refuse(str(error) or type(error).__name__)


def _refuse(sentence: str, code: int = 2) -> int:
    print(f"rnnkit: {' '.join(sentence.split())}", file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the list of all options."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rnnkit",
        description="Recurrent networks from scratch on arrays.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"rnnkit {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, module in _COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
    return parser
