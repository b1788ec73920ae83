"""Several configurations on one pass of the input: A against B, or all signals against one fewer."""
