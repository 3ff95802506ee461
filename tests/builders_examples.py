"""How many examples a property is tried on: all of them in the long run, a quarter in the ordinary one."""

from hypothesis import HealthCheck, settings

ORDINARY, FULL = "ordinary", "full"
FEWEST = 25
USUAL = 100


def register_profiles() -> None:
    """Register both; a property holds however long the machine takes over it, so that none is failed by the clock."""
    unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(FULL, unhurried, max_examples=USUAL)
    settings.register_profile(ORDINARY, unhurried, max_examples=max(FEWEST, USUAL // 4))


def on_examples(full: int) -> settings:
    """Return settings for a property that the long run tries on so many examples."""
    return settings(max_examples=full if is_full_run() else max(FEWEST, full // 4))


def is_full_run() -> bool:
    """Say whether everything is tried in full: the long run."""
    return settings.get_current_profile_name() == FULL
