"""What a reader of numbers must know beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Note:
    """Something a reader of the numbers must know."""

    code: str
    en: str
    zh: str

    def payload(self) -> dict[str, str]:
        return {"code": self.code, "en": self.en, "zh": self.zh}

    def text(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en
