"""All that is held of a firm, as the tables and documents of its archive; read as the firm itself would."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.audit import queries as audit
from xinyidai.catalogue import queries as catalogue
from xinyidai.consents import queries as consents
from xinyidai.consents import service as permissions
from xinyidai.consents.rules import ConsentView, Permission
from xinyidai.decisions import queries as decisions
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.paging import MAX_PAGE
from xinyidai.parties import queries as parties
from xinyidai.profiles import service as profiles
from xinyidai.rights.rules import MAX_ROWS_A_FILE, Cell, Sheet, told
from xinyidai.rights.service.own_acts import MAX_PAGES, every_page, own_acts
from xinyidai.sources.queries import lineage, own, purged

_PURGED = ("item_code", "delivery_no", "facts", "recorded_at", "purged_at", "reason", "proof_sha256")
_LOOKS = ("happened_at", "action", "organisation", "organisation_kind", "object_kind", "purpose", "consent_ids")
_DELIVERIES = ("delivery_no", "sender", "received_at", "sha256", "pulled")


async def gather(session: AsyncSession, viewer: Viewer, *, now: datetime) -> tuple[list[Sheet], dict[str, Json]]:
    """Return every table and document of a firm's archive; the session acts as the firm."""
    listed = await catalogue.listed(session, own.CODES, business_date(now))
    permission = await permissions.require_own(session, viewer, item_codes=sorted(listed), now=now)
    sheets = await _facts(session, viewer, permission)
    given = await _consents(session, viewer, now=now)
    sheets += [await _deliveries(session, sheets), await _tombstones(session, viewer), await _looks(session, viewer)]
    documents: dict[str, Json] = {
        "consents": [_consent_told(one) for one in given],
        "decisions": await _decisions(session, viewer),
        "profile": await _profile(session, viewer, now=now),
        **await own_acts(session, viewer, permission, now=now),
    }
    return sheets, documents


async def _facts(session: AsyncSession, viewer: Viewer, permission: Permission) -> list[Sheet]:
    found = []
    for code in permission.item_codes:
        facts = await own.own_facts(session, permission, viewer.organisation_id, code, most=MAX_ROWS_A_FILE)
        if facts.rows:
            rows = cast(Sequence[Sequence[Cell]], facts.rows)
            found.append(Sheet(f"facts_{code}", facts.columns, rows, facts.is_cut))
    return found


async def _deliveries(session: AsyncSession, sheets: Sequence[Sheet]) -> Sheet:
    numbers = sorted({cast(int, row[0]) for sheet in sheets for row in sheet.rows})
    found = await lineage.origins(session, numbers)
    senders = await parties.parties_by_id(session, {one.sender_id for one in found.values()})
    names = {str(party_id): view.name for party_id, view in senders.items()}
    rows: list[Sequence[Cell]] = [
        (no, names.get(str(one.sender_id), str(one.sender_id)), one.received_at, one.digest.hex(), one.pull is not None)
        for no, one in sorted(found.items())
    ]
    return Sheet("deliveries", _DELIVERIES, rows)


async def _tombstones(session: AsyncSession, viewer: Viewer) -> Sheet:
    stones = await purged.purged(session, viewer.organisation_id)
    rows: list[Sequence[Cell]] = [
        (
            one.item_code,
            one.delivery_no,
            one.facts,
            one.recorded_at,
            one.purged_at,
            one.reason.value,
            one.proof.hex(),
        )
        for one in stones
    ]
    return Sheet("purged", _PURGED, rows, is_cut=len(stones) == purged.MAX_STONES)


async def _looks(session: AsyncSession, viewer: Viewer) -> Sheet:
    rows: list[Sequence[Cell]] = []
    cursor: str | None = None
    for _page in range(MAX_PAGES):
        found = await audit.looks_at_subject(session, viewer, viewer.organisation_id, cursor=cursor, limit=MAX_PAGE)
        who = {one.organisation_id for one in found.rows if one.organisation_id is not None}
        names = {str(key): view.name for key, view in (await parties.parties_by_id(session, who)).items()}
        rows += [
            (
                one.happened_at,
                one.action,
                names.get(str(one.organisation_id), ""),
                one.organisation_kind,
                one.object_kind,
                one.purpose,
                " ".join(map(str, one.consent_ids)),
            )
            for one in found.rows
        ]
        cursor = found.next_cursor
        if cursor is None:
            break
    return Sheet("who_read", _LOOKS, rows, is_cut=cursor is not None)


async def _consents(session: AsyncSession, viewer: Viewer, *, now: datetime) -> list[ConsentView]:
    return await every_page(
        lambda cursor: consents.consents_of(session, viewer, now=now, cursor=cursor, limit=MAX_PAGE)
    )


def _consent_told(one: ConsentView) -> Json:
    return {
        "id": str(one.id),
        "purpose": one.purpose.value,
        "state": one.state.value,
        "item_codes": list(one.item_codes),
        "withdrawn": [{"item_code": w.item_code, "withdrawn_at": w.withdrawn_at.isoformat()} for w in one.withdrawn],
        "receiver_ids": [str(receiver_id) for receiver_id in one.receiver_ids],
        "granted_at": one.granted_at.isoformat(),
        "expires_at": one.expires_at.isoformat(),
        "revoked_at": None if one.revoked_at is None else one.revoked_at.isoformat(),
        "data_life_days": one.data_life_days,
        "text_version": one.text_version,
        "text_sha256": one.text_digest.hex(),
    }


async def _decisions(session: AsyncSession, viewer: Viewer) -> Json:
    """Return the decisions about the firm, scores among them, each with its reasons while its key lives."""
    made = await every_page(lambda cursor: decisions.decisions_about(session, viewer, cursor=cursor, limit=MAX_PAGE))
    explained = await decisions.explanations(session, [one.id for one in made])
    return [
        {
            "id": str(why.id),
            "kind": why.kind,
            "made_at": why.made_at.isoformat(),
            "outcome": dict(why.outcome),
            "versions": dict(why.versions),
            "reasons": None if why.reasons is None else [dict(reason) for reason in why.reasons],
        }
        for why in (explained[one.id] for one in made)
    ]


async def _profile(session: AsyncSession, viewer: Viewer, *, now: datetime) -> Json:
    shown = await profiles.own_profile(session, viewer, now=now)
    return {
        "as_of": shown.as_of.isoformat(),
        "known_at": shown.known_at.isoformat(),
        "feature_version": shown.feature_version,
        "invoices": shown.lineage.rows,
        "indicators": {one.code: None if one.value is None else str(one.value) for one in shown.readings},
        "record_indicators": told(shown.records),
    }
