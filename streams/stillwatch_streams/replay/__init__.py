"""Replay: historic events through the very shards that run live, results and an evaluation into a folder."""
