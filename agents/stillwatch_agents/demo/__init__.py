"""`stillwatch demo`: broker, worker, gateway and traffic on one machine, and a screen that shows what happens.

`world` makes the traffic, `processes` and `stack` start the real programs, `traffic` plays the world to them, `watch`
reads what they publish, `state` keeps what was seen, `screen` and `plain` show it, `director` ties it all together.
"""
