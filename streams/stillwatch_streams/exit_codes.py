"""How a worker process ends, for its supervisor.

| code | meaning | start again? |
|---|---|---|
| 0 | stopped as asked | no |
| 1 | state can't be trusted | no: a human must decide |
| 2 | settings are wrong | no |
| 70 | failed while running (EX_SOFTWARE) | yes: it recovers from its checkpoint |
| 75 | no broker, for now (EX_TEMPFAIL) | yes |
"""

FAILED = 70
NO_BROKER = 75
