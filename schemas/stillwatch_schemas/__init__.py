"""Stillwatch's contracts: what travels on the bus, how it is written and read, and what is refused.

| module                                             | what it holds                                                 |
|----------------------------------------------------|---------------------------------------------------------------|
| `events`, `signals`, `findings`, `directives`, ... | the typed values                                              |
| `limits`                                           | the limits table, as types                                    |
| `codec`, `alerts`                                  | bytes to values and back; every refusal is a `ContractError`  |
| `fitting`                                          | mending what a client may have broken in a request event      |
| `ocsf`, `observables`, `techniques`                | findings as OCSF documents                                    |
| `signing`, `canonical`                             | Ed25519 signatures on directives (extra `[signing]`)          |
| `sketch`                                           | text to features, without the text (extra `[sketch]`)         |
| `topics`, `errors`                                 | the one table of topics, the one tree of errors               |
| `generate`                                         | JSON Schema, AsyncAPI and tables for docs/contracts           |

Import from the modules. The package itself imports nothing, so that a gateway pays only for what it uses.
"""
