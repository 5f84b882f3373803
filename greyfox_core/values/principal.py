"""Who calls, once the credential has been verified."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Principal:
    """`key_id` is the virtual key's public id, or `jwt:<issuer>` for a caller with a JWT."""

    user: str
    key_id: str
    team: str | None = None
    roles: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()  # globs; empty: any model

    def may_use(self, model: str) -> bool:
        """Whether the key's own allow-list admits `model`."""
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)
