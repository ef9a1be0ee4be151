"""Keep secrets out of logs, errors and tracebacks, those of other libraries included."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

HIDDEN = "***"
# Replacing shorter values would garble every line and hide nothing that can be guessed anyway.
SHORTEST = 4


class Redactor(logging.Filter):
    """Replace known secrets in any text, and in every log record that passes."""

    def __init__(self) -> None:
        """Start without secrets."""
        super().__init__()
        self._secrets: tuple[str, ...] = ()

    def conceal(self, values: Iterable[str | None]) -> None:
        """Add secrets, in the forms in which they travel in URLs too."""
        known = set(self._secrets)
        for value in values:
            if value and len(value) >= SHORTEST:
                known |= {value, quote(value), quote(value, safe=""), quote_plus(value)}
        # Longest first: one secret may begin with another.
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean one log record and let it pass."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        clean = self(text)
        if clean != text:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[1] is not None and self._tells(record.exc_info[1]):
            record.exc_info = record.exc_text = None
        return True

    def _tells(self, error: BaseException | None) -> bool:
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            text = f"{error} {error.args}"
            if self(text) != text:
                return True
            error = error.__cause__ or error.__context__
        return False

    def guard_logging(self) -> None:
        """Clean whatever the handlers of this process write, and silence the chatter of urllib3."""
        for handler in logging.getLogger().handlers:
            if self not in handler.filters:
                handler.addFilter(self)
        for name in ("urllib3", "requests", "charset_normalizer"):
            # At debug level urllib3 logs every URL with its query, which holds the keys.
            logging.getLogger(name).setLevel(logging.ERROR)


# One for the process: a warm worker runs many taps, and none may tell another's secrets.
redact = Redactor()


def safe_url(url: str, params: Mapping[str, Any], secret: Iterable[str] = ()) -> str:
    """Return the URL for a person to read: no secret parameter, nothing that is a known secret."""
    hidden = set(secret)
    shown = {key: value for key, value in params.items() if key not in hidden}
    query = urlencode(shown, safe=":,/ ")
    return redact(f"{url}?{query}" if query else url)
