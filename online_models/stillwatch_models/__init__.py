"""The pure core: what Stillwatch means, without Kafka, clock or I/O.

One event's way: `columns` -> `panes` -> `fold` into `accounts` -> `features` -> `learners` and `detectors` ->
`evidence` -> `incidents`; `groups` and `policy` are the next shards down the line. `engine` puts the account's part
together.
"""
