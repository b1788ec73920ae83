"""`python -m stillwatch_agents` is the `stillwatch` command."""

from stillwatch_agents.cli import main

main()
