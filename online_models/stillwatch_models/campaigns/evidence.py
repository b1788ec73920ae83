"""Evidence of a clump, pooled over its members, in nats.

    evidence = content - choice + passages + payment + own

- content: -ln P(the members' mean direction departs from ordinary traffic as far as it does), if each member had an
  independent random direction: 32 m |mean of m unit vectors|^2 is then nearly chi-squared with 32 degrees of freedom
  (Rayleigh's test of uniformity; Mardia and Jupp, Directional Statistics, 2000, 10.4.1). It is the maximum mean
  discrepancy (Gretton et al. 2012) between the members and ordinary traffic under a linear kernel on the sketch's
  random projection. No account could fill it alone. What all compared accounts have in common, tasks where others
  talk, is no wonder: the members' mean cosine to the other accounts is taken off the squared length first.
- choice: ln of the number of ways to choose m of the n accounts that were compared, because the clump was chosen by
  looking (a union bound over all of them).
- passages: what rare passages in common add, where the first word alone would explain like content (`clumps`).
- payment: what an instrument that several members pay with adds (`infrastructure`), at most 10 nats.
- own: what each member's own harvest test says, at least 0 and at most 4 nats a member: nobody pulls a clump over the
  threshold by himself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.special import gammaln
from scipy.stats import chi2

from stillwatch_models.campaigns.clumps import Clump
from stillwatch_models.columns import EMBEDDING

MOST_OWN = 4.0
MOST_CONTENT = 10_000.0


class Pooled(msgspec.Struct, frozen=True):
    """The parts of a clump's evidence, nats."""

    content: float
    choice: float
    passages: float
    payment: float
    own: float

    @property
    def total(self) -> float:
        """What counts."""
        return self.content - self.choice + self.passages + self.payment + self.own


def pooled(clump: Clump, own_nats: Sequence[float], payment_nats: float = 0.0) -> Pooled:
    """Evidence of a clump; `own_nats` are its members' own, in order."""
    count = len(clump.members)
    mean = clump.directions.mean(axis=0)
    statistic = EMBEDDING * count * max(0.0, float(mean @ mean) - max(0.0, clump.usual_cosine))
    tail = float(chi2.logsf(statistic, EMBEDDING))
    return Pooled(
        content=MOST_CONTENT if not np.isfinite(tail) else min(MOST_CONTENT, -tail),
        choice=float(gammaln(clump.candidates + 1) - gammaln(count + 1) - gammaln(clump.candidates - count + 1)),
        passages=clump.passages,
        payment=payment_nats,
        own=float(np.clip(np.asarray(own_nats), 0.0, MOST_OWN).sum()),
    )
