"""The Python that runs this program, for processes of its own."""

from __future__ import annotations

import sys

PYTHON = (sys.executable, "-P", "-m")
"""What runs a module of this installation.

With `-m` alone, modules of the folder that the user stands in come first: in a project with a `queue.py` nothing would
start, and code of a folder that was only looked at would run.
"""
