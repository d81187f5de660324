"""The catalogues of the pages."""
