"""Campaigns: accounts that are invisible one by one and plain when they are read as one.

    profiles ──► known accounts ──► clumps of like content ──► pooled evidence ──► campaigns and members ──► findings
      (known)         (likeness)        (clumps)               (evidence)          (roll)              (report)

Hourly, and only over the few hundred accounts that profiles are sent of: the cost follows them, not the traffic.
"""
