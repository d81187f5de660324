"""Layers that a bureau brings: files of its own data, read strictly and reported row by row."""

from geo.intake.importer import Options, Report, RowOutcome, import_layer
from geo.intake.layers import LAYERS

__all__ = ["LAYERS", "Options", "Report", "RowOutcome", "import_layer"]
