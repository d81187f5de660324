"""Law as data: rule packs resolved by place and date, and the registry of rule ids."""

from schemas.rules.pack import RulePack
from schemas.rules.registry import RuleInfo, registry
from schemas.rules.rulebook import Rulebook
from schemas.rules.values import DayKind, Days, MinChannels, QuietHours

__all__ = [
    "DayKind",
    "Days",
    "MinChannels",
    "QuietHours",
    "RuleInfo",
    "RulePack",
    "Rulebook",
    "registry",
]
