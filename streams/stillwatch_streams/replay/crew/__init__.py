"""`replay --jobs N` on several partitions: account shards in processes of their own, equal results for any N.

Every process reads the same files and so gets the same steps; each sketches and detects the events of its own
partitions only. The main process is one of them. It says when a chunk may be processed, takes the others' outputs of it
in the order in which it would have made them itself, and alone runs what follows: groups, campaigns, policy.
"""
