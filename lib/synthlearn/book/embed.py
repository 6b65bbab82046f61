"""What a page's scripts read: data that Python computed, inside the page."""

import json
from typing import Any


def as_script(data: Any, kind: str = "") -> str:
    """Data as a <script> of JSON, which no browser runs; ``kind``: its class.

    >>> as_script({"title": "</script>"})
    '<script type="application/json">{"title":"<\\\\/script>"}</script>'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    name = f' class="{kind}"' if kind else ""
    return f'<script type="application/json"{name}>{text}</script>'
