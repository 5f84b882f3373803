"""What operators do to quotas, beside a running gateway: set a limit for one subject, reset a counter.

A reset is an adjustment: a ledger row with negative amounts, so that counters stay the sums of the ledger.

Units:   tokens.
Errors:  ValueError, one sentence, for a quota or subject that does not exist; StoreUnavailable. Everything blocks.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, Row, delete, insert, select, update

from greyfox_core.config.schema import Config, Quota
from greyfox_core.quota.counter import Limits
from greyfox_core.quota.period import micros
from greyfox_core.quota.ports import Overrides
from greyfox_core.quota.subjects import canonical, parts_of
from greyfox_core.store.engine import Database, unavailable_on_driver_error
from greyfox_core.store.rows import first_id
from greyfox_core.store.tables import boots, charges, counters, epochs, ledger, overrides


def quota_set(
    database: Database, config: Config, name: str, subject: Mapping[str, str], limits: Limits, now: datetime
) -> None:
    """Limits of quota `name` for one subject, in force within a second; None: as the configuration says."""
    text = _subject(_quota(config, name), subject)
    with unavailable_on_driver_error(), database.writing.begin() as connection:
        connection.execute(delete(overrides).where(overrides.c.quota == name, overrides.c.subject == text))
        if limits != Limits(None, None):
            connection.execute(
                insert(overrides).values(
                    quota=name,
                    subject=text,
                    input_tokens=limits.input,
                    output_tokens=limits.output,
                    changed_at=micros(now),
                )
            )
        bump(connection, "quotas")


def quota_reset(database: Database, config: Config, name: str, subject: Mapping[str, str] | None, now: datetime) -> int:
    """Set what is settled in the running period to zero, for one subject or (None) for all; how many counters.

    Reservations under way stay.
    """
    quota = _quota(config, name)
    wanted = select(counters).where(counters.c.quota == name, counters.c.resets_at > micros(now))
    if subject is not None:
        wanted = wanted.where(counters.c.subject == _subject(quota, subject))
    with unavailable_on_driver_error(), database.writing.begin() as connection:
        found = connection.execute(wanted).all()
        if found:
            boot = new_boot(connection, now)
            epoch = bump(connection, "quotas")
            for id_, counter in enumerate(found, first_id(boot)):
                _reset(connection, counter, id_, boot, epoch, now)
        return len(found)


def read_overrides(connection: Connection) -> Overrides:
    """Every limit that operators have set."""
    return {
        (row.quota, row.subject): Limits(row.input_tokens, row.output_tokens)
        for row in connection.execute(select(overrides))
    }


def new_boot(connection: Connection, now: datetime) -> int:
    """A number for a start of this program, never given before."""
    boot: int = connection.execute(insert(boots).values(started_at=micros(now)).returning(boots.c.id)).scalar_one()
    return boot


def bump(connection: Connection, name: str) -> int:
    """Let gateways see that something changed; the new epoch."""
    epoch: int = connection.execute(
        update(epochs).where(epochs.c.name == name).values(value=epochs.c.value + 1).returning(epochs.c.value)
    ).scalar_one()
    return epoch


def _reset(
    connection: Connection, counter: Row[tuple[object, ...]], id_: int, boot: int, epoch: int, now: datetime
) -> None:
    c = counter._mapping
    parts = parts_of(c["subject"])
    by_input, by_output = -c["settled_input"], -c["settled_output"]
    connection.execute(
        insert(ledger).values(
            id=id_,
            kind="adjustment",
            state="settled",
            request_id=f"reset-{id_}",
            attempt=0,
            boot=boot,
            admitted_at=micros(now),
            finished_at=micros(now),
            user=parts.get("user", ""),
            key_id=parts.get("key", ""),
            team=parts.get("team"),
            roles="[]",
            dialect="",
            operation="reset",
            upstream="",
            model=parts.get("model", ""),
            requested_model=parts.get("model", ""),
            route="",
            way="operator",
            stream=0,
            input_tokens=by_input,
            output_tokens=by_output,
        )
    )
    connection.execute(
        insert(charges).values(counter_id=c["id"], ledger_id=id_, charged_input=by_input, charged_output=by_output)
    )
    connection.execute(
        update(counters)
        .where(counters.c.id == c["id"])
        .values(
            settled_input=0,
            settled_output=0,
            adjusted_input=counters.c.adjusted_input + by_input,
            adjusted_output=counters.c.adjusted_output + by_output,
            adjusted_epoch=epoch,
        )
    )


def _quota(config: Config, name: str) -> Quota:
    for quota in config.quotas:
        if quota.name == name:
            return quota
    names = ", ".join(quota.name for quota in config.quotas) or "none"
    raise ValueError(f"there is no quota {name}; the configuration has: {names}")


def _subject(quota: Quota, subject: Mapping[str, str]) -> str:
    asked = set(subject)
    # A principal without a team is counted by its user where a team is asked for.
    alone = {"user" if dimension == "team" else dimension for dimension in quota.per}
    if asked != set(quota.per) and asked != alone:
        raise ValueError(f"quota {quota.name} counts per {', '.join(quota.per)}; name exactly these")
    return canonical(subject)
