"""Stillwatch at the gateway: tells the detector what was asked, and obeys what the policy signed. No detector inside.

A serving process needs four things: a `DirectiveCache` fed by a `DirectiveTail`, a `Decider` that turns cached
directives into a decision in microseconds, an `Emitter` that publishes what happened, and, for ASGI servers, the
middleware that ties them to requests. `ServingNode` wires them together.
"""
