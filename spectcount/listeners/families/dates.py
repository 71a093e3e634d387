"""Chat templates that tell the date of today: with it a question would be another one tomorrow,
and nothing could be repeated. One date stands in its place, that of Granite's published example.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

TODAY = datetime(2025, 4, 9)
CALL = re.compile(r"strftime_now\(\s*(?P<quote>['\"])(?P<format>.*?)(?P=quote)\s*\)")


def stand_still(holder: Any) -> None:
    """Fix the date in the chat template of a processor or a tokenizer, where it tells one."""
    template = getattr(holder, "chat_template", None)
    if isinstance(template, str) and "strftime_now" in template:
        holder.chat_template = CALL.sub(lambda m: repr(TODAY.strftime(m["format"])), template)
