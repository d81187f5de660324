"""Layers that a bureau brings: files of its own data, read strictly and reported row by row."""

from geo.intake.importer import import_layer
from geo.intake.layers import LAYERS
from geo.intake.report import Options, Report, RowOutcome

__all__ = ["LAYERS", "Options", "Report", "RowOutcome", "import_layer"]
