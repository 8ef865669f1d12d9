"""`python -m telem`."""

from telem.agent.cli import main

main()
