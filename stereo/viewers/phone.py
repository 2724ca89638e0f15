"""The page on a telephone, where viser lays its panels into one sheet at the bottom.

There the controls come first and a panel of its own last, out of sight: so each telephone gets the
status and the depth picture once more, above the controls. Tapping the sheet's title folds it away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import viser

NARROW_PX = 576
"""A window so narrow gets the sheet: viser's own limit, 36 em."""

# viser's sheet is 20 em wide whatever the window, and covers 60 % of it; there is no setting for
# either. Where a later viser writes its styles otherwise, this does nothing.
_STYLE = (
    "<style>@media (max-width: 36em) {"
    '[style*="width: 20em"] {width: 100% !important;}'
    '[style*="max-height: 60%"] {max-height: 55% !important;}'
    "}</style>"
)


def widen_sheet(gui: viser.GuiApi) -> None:
    """Let the sheet have the width of a narrow window, and little more than half of its height."""
    gui.add_html(_STYLE)


class PhonePanel:
    """Status and depth picture above the controls of one browser."""

    def __init__(self, client: viser.ClientHandle, status: str, picture: NDArray[np.uint8]) -> None:
        """``status`` is Markdown, ``picture`` (H, W, 3) RGB."""
        self._status = client.gui.add_markdown(status, order=-2)
        self._picture = client.gui.add_image(picture, order=-1, jpeg_quality=80)

    def say(self, status: str) -> None:
        """Replace the status."""
        self._status.content = status

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Replace the picture."""
        self._picture.image = picture
