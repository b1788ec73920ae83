"""One module a source format: each has `decode_all(values)`: events, and by position why the others are none."""
