"""Parts of `instructions.py`."""
