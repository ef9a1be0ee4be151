"""What the tests of all taps share: the sandbox they read, the wire to it, what a run wrote, what a loader would hold.

A tap's `conftest.py` takes the fixtures it uses from `tap_testing.fixtures` and says by a fixture `provider` whom they
are about; its `<provider>_season.py` holds the rest: streams and keys, and what only this provider's sandbox can be
asked. No installed package brings this one: it is found where `tap_shared` lies, in a checkout.
"""

import pytest

# Else a comparison that fails in here would not say what was compared.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in ("faults", "readme", "runs", "season")))
