"""The command line, and the agents that put contracts, core and streams together into a worker."""
