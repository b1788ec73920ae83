"""Online learners: River's estimators in the form the engine needs, that is in mini-batches and dumped as plain arrays.

Score first, then learn. A learner never sees a row of an account under suspicion, and one account teaches it at most
once in a while; the engine decides which rows may teach.
"""
