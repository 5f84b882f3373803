"""Who calls, once the credential has been verified."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Principal:
    """`key_id` is the virtual key's public id, or `jwt:<issuer>` for a caller with a JWT."""

    user: str
    key_id: str
    team: str | None = None
    roles: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()  # globs; empty: any model
    _hash: int = field(init=False, repr=False, compare=False)  # it is looked up by several times a request

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.user, self.key_id, self.team, self.roles, self.models)))

    def __hash__(self) -> int:
        return self._hash

    def may_use(self, model: str) -> bool:
        """Whether the key's own allow-list admits `model`."""
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)
