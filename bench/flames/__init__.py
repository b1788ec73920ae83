"""Parts of `flame.py`."""
