"""`python -m telem`."""

from telem.agent.entry import main

main()
