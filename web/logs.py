"""Logs: one JSON object for each line on standard error, never with the values of local variables."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
_AS_JSON = structlog.processors.JSONRenderer(ensure_ascii=False)


def configure_logs(level: int = logging.WARNING) -> None:
    """Sets up structured logs for this process, also for what speaks through `logging`; called by each entry point."""
    structlog.configure(
        processors=[*_SHARED, _AS_JSON],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _AS_JSON],
            foreign_pre_chain=_SHARED,
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
