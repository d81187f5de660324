"""Ratios against named peers on the same work in one run (design.md 7)."""
