"""Messages that would do harm on a page which takes them for more than text."""

from typing import Final

HOSTILE: Final = (
    "<img src=x onerror=\"document.title='taken'\">",
    "</script><script>document.title='taken'</script>",
    "{{constructor.constructor('document.title=1')()}} ${document.title=1} javascript:alert(1)",
    "\u202eexe.gnp\u2066\u2069\u200f\u061c\u2028\u2029\ufeff\u0000\U0001f600",
)
"""HTML, the end of a script, templates, and characters that turn the direction or are unseen."""

NAMED: Final = {
    ord(one): f"\u27e8U+{ord(one):04X}\u27e9"
    for one in "\u202e\u2066\u2069\u200f\u061c\ufeff\u0000"  # lines may end
}
"""What the page shows in place of characters that are unseen, or turn the direction.

It is a table for `str.translate`.
"""

LARGEST: Final = "<b>" + "x" * (127 * 1024 - 200)
"""It makes a frame of nearly 127 KiB, the most there is."""
