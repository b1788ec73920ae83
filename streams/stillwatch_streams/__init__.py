"""Between Kafka or files and the core: transport, checkpoints, dead letters, sources, replay, simulator, settings."""
