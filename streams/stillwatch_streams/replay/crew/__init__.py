"""`replay --jobs N`: account shards in processes of their own, equal results for any N.

The main process alone reads and decodes. It packs the events of a partition that lives elsewhere and sends them there,
keeps the partitions that it has time for, and alone runs what follows from what all of them put out: groups, campaigns,
policy. It settles a chunk of the input once every process has said what came of it, in the order in which it would
have come about in one process; meanwhile it reads on, as far as a bound on what is under way allows.
"""
