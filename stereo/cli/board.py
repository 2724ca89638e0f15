"""``stereo board``: a calibration board to print, at true scale."""

from __future__ import annotations

from pathlib import Path

import click

from calib.words import plain
from stereo.cli.values import parse_size
from stereo.errors import InputError

_KINDS = ("chessboard", "charuco", "circles", "acircles", "aprilgrid")


@click.command("board")
@click.option("--type", "kind", type=click.Choice(_KINDS), default="charuco", show_default=True)
@click.option("--squares", metavar="COLSxROWS", help="Squares, circles or tags.")
@click.option("--square-mm", type=float, help="Side of a square or tag, spacing of circles, mm.")
@click.option("--marker-mm", type=float, help="ChArUco: side of a marker; default 0.75 squares.")
@click.option("--dictionary", help="ChArUco: markers, such as DICT_5X5_100; default: smallest.")
@click.option("--gap", type=float, default=0.3, show_default=True, help="AprilGrid: gap / tag.")
@click.option("--board", "spec", help="Instead of the above: such as chessboard:9x6:25mm.")
@click.option("--paper", default="A4", show_default=True, help="A0 to A5, letter, legal, tabloid.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("board.pdf"))
def board_command(
    kind: str,
    squares: str | None,
    square_mm: float | None,
    marker_mm: float | None,
    dictionary: str | None,
    gap: float,
    spec: str | None,
    paper: str,
    out: Path,
) -> None:
    """Write a board as PDF, SVG or PNG; the command to calibrate with it is printed on it."""
    from calib.board import parse_board
    from calib.page import lay_out, write_pages

    text = spec or _spec(kind, squares, square_mm, marker_mm, dictionary, gap)
    board = parse_board(text)
    pages = lay_out(board, paper)
    write_pages(pages, out)
    click.echo(f"{out}: {board.spec} on {len(pages)} sheet(s) of {paper}")
    if len(pages) > 1:
        click.echo(
            f"The board is larger than {paper}: cut the sheets along the thin lines, glue them "
            "edge to edge on something flat and rigid, or print on larger paper (--paper).",
            err=True,
        )
    click.echo("Print at 100 %, measure the ruler, glue the board flat. Then:")
    click.echo(
        f"  stereo calibrate 'left/*.png' 'right/*.png' --board {board.spec} "
        "-o rig.yaml --report report.html"
    )


def _spec(
    kind: str,
    squares: str | None,
    square_mm: float | None,
    marker_mm: float | None,
    dictionary: str | None,
    gap: float,
) -> str:
    counted = parse_size(squares or "")
    if counted is None or square_mm is None:
        raise InputError(
            f"give --squares COLSxROWS and --square-mm, such as --squares 11x8 --square-mm 20; "
            f"got --squares {squares}, --square-mm {square_mm}"
        )
    columns, rows = counted
    if kind == "chessboard":  # written by its inner corners
        return f"{kind}:{columns - 1}x{rows - 1}:{plain(square_mm)}mm"
    if kind == "charuco":
        marker = 0.75 * square_mm if marker_mm is None else marker_mm
        needed = columns * rows // 2
        size = next((n for n in (50, 100, 250) if needed <= n), 1000)
        name = dictionary or f"DICT_5X5_{size}"
        return f"{kind}:{columns}x{rows}:{plain(square_mm)}mm:{plain(marker)}mm:{name}"
    return f"{kind}:{columns}x{rows}:{plain(square_mm)}mm" + (
        f":{plain(gap)}" if kind == "aprilgrid" else ""
    )
