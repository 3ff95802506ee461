"""What happens to people's accounts, for the rooms above: whoever sends notices tells the person and the desk."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _RecoveryEvent:
    recovery_id: str
    user_id: str
    kind: str

    @property
    def aggregate(self) -> str:
        """Return the person."""
        return f"user:{self.user_id}"


@dataclass(frozen=True)
class AccountRecoveryAsked(_RecoveryEvent):
    """Somebody asked for a person's account to be recovered; the person may know nothing of it."""


@dataclass(frozen=True)
class AccountRecovered(_RecoveryEvent):
    """A person's password was set anew and every session ended; by a desk, the second factor was removed too."""
