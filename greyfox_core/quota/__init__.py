"""Quotas of tokens and rate limits: is there room, what is set aside, what was used."""

from greyfox_core.quota.admission import Admission
from greyfox_core.quota.attempt import Attempt, Outcome, Reservation, Settled, Settlement
from greyfox_core.quota.counter import Limits
from greyfox_core.quota.standing import Standing

__all__ = ["Admission", "Attempt", "Limits", "Outcome", "Reservation", "Settled", "Settlement", "Standing"]
