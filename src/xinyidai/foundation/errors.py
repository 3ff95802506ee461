"""How the platform says no: every expected refusal has a stable code and a sentence in both languages."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Trace:
    """The audit row that a refusal leaves although its transaction ends in nothing.

    `fact` names the refusal's fact that says what was asked for: a code, never what a person typed about somebody.
    """

    action: str
    object_kind: str
    fact: str


class Refusal(Exception):
    """An expected no. Subclasses state a fact (`ClaimClosed`) and fill the class attributes below.

    `facts` are safe to show to the person who asked: codes, limits, counts; never personal data.
    Titles may name facts in braces: ``"Amount must be at least {min_fen} fen"``. Where the asking alone must be known
    later, `trace` says what the application writes down once the transaction was rolled back.
    """

    code: ClassVar[str] = ""
    status: ClassVar[int] = 409
    title_zh: ClassVar[str] = ""
    title_en: ClassVar[str] = ""
    trace: ClassVar[Trace | None] = None

    registry: ClassVar[dict[str, type["Refusal"]]] = {}

    def __init_subclass__(cls) -> None:
        """Refuse a subclass without its own code or sentences, or with a code that is taken."""
        super().__init_subclass__()
        if not (cls.code and cls.title_zh and cls.title_en):
            raise TypeError(f"{cls.__name__} needs code, title_zh and title_en")
        holder = Refusal.registry.get(cls.code)
        if holder is not None and holder.__qualname__ != cls.__qualname__:
            raise TypeError(f"refusal code {cls.code!r} is already {holder.__name__}")
        Refusal.registry[cls.code] = cls

    def __init__(self, **facts: str | int | list[str]) -> None:
        self.facts = facts
        super().__init__(self.sentence("en"))

    def sentence(self, language: str) -> str:
        """Return the refusal in one sentence, in ``"zh"`` or ``"en"``."""
        template = self.title_zh if language == "zh" else self.title_en
        return template.format_map(self.facts)


class NotFound(Refusal):
    """Nothing by that id, or nothing that this viewer may know of: the two look the same on purpose."""

    code = "not_found"
    status = 404
    title_zh = "未找到，或您无权查看"
    title_en = "Not found, or not yours to see"


class NotAllowed(Refusal):
    """The viewer lacks the role that this act needs."""

    code = "not_allowed"
    status = 403
    title_zh = "您没有执行此操作的权限"
    title_en = "You do not have the role this needs"


class ValueRefused(Refusal):
    """An input field is malformed or out of range."""

    code = "value_refused"
    status = 422
    title_zh = "字段 {field} 的值不被接受：{why}"
    title_en = "Field {field} is refused: {why}"


class TooManyRequests(Refusal):
    """The account used up its allowance for this minute."""

    code = "too_many_requests"
    status = 429
    title_zh = "请求过于频繁，请稍后再试"
    title_en = "Too many requests; try again later"


class SourceUnavailable(Exception):
    """An outside system did not answer usefully; the caller may retry within its bound."""

    def __init__(self, source: str, why: str) -> None:
        self.source = source
        self.why = why
        super().__init__(f"{source}: {why}")
