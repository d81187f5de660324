"""Imagery: taken in under quarantine, masked, segmented, judged against the law's layers, reviewed."""
