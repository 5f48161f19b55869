"""The command line: one table of commands, and a module for each group of them."""

from .commands import main

__all__ = ["main"]
