"""Readings of instruments: stored once, averaged over the windows of the law, and judged; health of devices."""
