"""Parts of `render.py`."""
