"""Parties and people as other rooms know them, and what their names, emails and passwords may be."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NewType
from uuid import UUID

from xinyidai.access.rules import OrganisationKind
from xinyidai.foundation.errors import Refusal, ValueRefused

PartyId = NewType("PartyId", UUID)
UserId = NewType("UserId", UUID)

PLATFORM_ID: Final = PartyId(UUID("00000000-0000-7000-8000-000000000001"))
"""The operating body of the platform itself, put there by the migration."""

MAX_NAME = 120
MAX_EMAIL = 254
MIN_PASSWORD = 12
MAX_PASSWORD = 256
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_EMAIL: Final = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


class DuplicateParty(Refusal):
    """A party with this credit code is registered already."""

    code = "duplicate_party"
    title_zh = "该统一社会信用代码已注册"
    title_en = "A party with this credit code is already registered"


class DuplicateUser(Refusal):
    """A person with this email has an account already."""

    code = "duplicate_user"
    title_zh = "该邮箱已有账户"
    title_en = "This email already has an account"


class RegionUnknown(Refusal):
    """The region does not exist on that day."""

    code = "region_unknown"
    status = 422
    title_zh = "区县代码 {region_code} 在 {on} 不存在"
    title_en = "Region {region_code} does not exist on {on}"


class IndustryUnknown(Refusal):
    """The industry code is not of the classification in force on that day."""

    code = "industry_unknown"
    status = 422
    title_zh = "行业代码 {industry_code} 不在现行国民经济行业分类中"
    title_en = "Industry code {industry_code} is not in the classification in force"


@dataclass(frozen=True)
class PartyView:
    """A party as other rooms see it.

    `region_code` is where it sits now and None where unknown. `staff` is None where none was declared, and for viewers
    who may not see the declaration.
    """

    id: PartyId
    kind: OrganisationKind
    name: str
    credit_code: str | None
    region_code: str | None
    industry_code: str | None
    established_on: date | None
    staff: int | None
    is_simulated: bool
    registered_at: datetime

    @property
    def industry_section(self) -> str | None:
        """Return the letter of the industry's section (门类)."""
        return self.industry_code[0] if self.industry_code else None


def checked_name(name: str, *, field: str = "name") -> str:
    """Return a name without surrounding blanks, in composed form.

    Raises
    ------
    ValueRefused
        Empty, longer than MAX_NAME, or with characters that cannot be seen: control characters, and the direction
        overrides and zero-width marks by which one name is made to look like another.
    """
    kept = unicodedata.normalize("NFC", name[: MAX_NAME * 4]).strip()
    if not kept or len(kept) > MAX_NAME or len(name) > MAX_NAME * 4:
        raise ValueRefused(field=field, why=f"1..{MAX_NAME} characters")
    if any(unicodedata.category(character) in _UNSEEN for character in kept):
        raise ValueRefused(field=field, why="control or invisible characters")
    return kept


def checked_email(email: str) -> str:
    """Return the address folded to lower case; only ASCII addresses are taken, so that none can look like another.

    Raises
    ------
    ValueRefused
        Not an address of the form local@domain.tld within 254 characters.
    """
    folded = email.strip().lower() if email.isascii() else ""
    if len(folded) > MAX_EMAIL or not _EMAIL.fullmatch(folded):
        raise ValueRefused(field="email", why="not an email address")
    return folded


def checked_password(password: str) -> str:
    """Return a password fit to be kept; length is the rule, not kinds of characters (NIST SP 800-63B, 5.1.1.2).

    Raises
    ------
    ValueRefused
        Shorter than MIN_PASSWORD, longer than MAX_PASSWORD, or of one repeated character.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD or len(set(password)) < 2:
        raise ValueRefused(field="password", why=f"{MIN_PASSWORD}..{MAX_PASSWORD} characters, not all the same")
    return password
