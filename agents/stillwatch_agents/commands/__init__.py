"""The command line, one module a command; `stillwatch_agents.cli` puts them together."""
