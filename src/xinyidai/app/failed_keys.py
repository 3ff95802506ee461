"""Made-up keys: counted by address before any look-up, so that a flood of them costs the database nothing."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from xinyidai.foundation.errors import Refusal

WINDOW: Final = timedelta(minutes=1)
MAX_ADDRESSES: Final = 10_000
MAX_KEYS_KNOWN: Final = 10_000


class TooManyFailedKeys(Refusal):
    """Too many keys that do not exist came from this address; one that was valid lately is still let through."""

    code = "too_many_failed_keys"
    status = 429
    title_zh = "该地址一分钟内提交的无效接口密钥过多，请 {retry_after_s} 秒后再试"
    title_en = "Too many invalid API keys from this address within a minute; try again in {retry_after_s} seconds"


@dataclass
class FailedKeys:
    """Failures by address within a minute, and the keys that were valid lately, in this process's memory.

    Each web process counts for itself: the point is to spare the database, and a count shared by all would cost a
    round trip on every call. What is in flight at once is counted when it comes back. Keys are known by their digest.
    """

    per_minute: int
    _failed: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    _valid: dict[bytes, None] = field(default_factory=dict)

    def check(self, address: str, key_digest: bytes, *, at: datetime) -> None:
        """Let a key through to the look-up.

        A key that was valid lately always passes: others behind the same address cannot shut out whom the platform
        knows. A key that is new to this process waits for the minute's end where the address has used up its failures.

        Raises
        ------
        TooManyFailedKeys
        """
        count, ends_at = self._failed.get(address, (0, at))
        if count >= self.per_minute and at < ends_at and key_digest not in self._valid:
            raise TooManyFailedKeys(retry_after_s=max(1, -(-(ends_at - at) // timedelta(seconds=1))))

    def count_failure(self, address: str, key_digest: bytes, *, at: datetime) -> None:
        """Write down that a key was of nobody; one that was valid before is so no more."""
        self._valid.pop(key_digest, None)
        count, ends_at = self._failed.pop(address, (0, at))
        # The oldest goes first: an attacker with many addresses cannot fill the memory.
        if len(self._failed) >= MAX_ADDRESSES:
            del self._failed[next(iter(self._failed))]
        self._failed[address] = (count + 1, ends_at) if at < ends_at else (1, at + WINDOW)

    def count_success(self, key_digest: bytes) -> None:
        """Write down that a key is somebody's."""
        self._valid.pop(key_digest, None)
        if len(self._valid) >= MAX_KEYS_KNOWN:
            del self._valid[next(iter(self._valid))]
        self._valid[key_digest] = None
