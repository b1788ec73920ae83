"""`python -m stillwatch_agents` is `stillwatch`."""

from stillwatch_agents.cli import main

main()
