"""Logs: one JSON object for each line on standard error, never with the values of local variables."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(level: int = logging.WARNING) -> None:
    """Sets up structured logs for this process; called once by each entry point."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
