"""Engines that look for candidates in the pixels of a masked scene."""
