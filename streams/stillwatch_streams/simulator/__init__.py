"""The simulator: labelled request streams from small scenario files, all texts from our own grammars.

It feeds the demo, the tests and the benchmarks; `docs/simulator.md` tells how to write a scenario. The results say how
a detector ranks under these scenarios, not how it does in production.
"""

from stillwatch_streams.simulator.accounts import Label
from stillwatch_streams.simulator.generate import LabelledEvent, generate, labels
from stillwatch_streams.simulator.scenario import Scenario, load_scenario, parse_scenario, shipped

__all__ = ["Label", "LabelledEvent", "Scenario", "generate", "labels", "load_scenario", "parse_scenario", "shipped"]
