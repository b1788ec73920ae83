"""The same work in several stream processors, raced by `peer_race.py`. `work` says what the work is."""
