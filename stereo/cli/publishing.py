"""Options of publishing: to whom ``stereo live`` hands its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import click

from stereo.cli.groups import option
from stereo.publishing.messages import MessageOptions
from stereo.publishing.publish import KINDS, Publishing, open_publishers
from stereo.rectify import Rectification
from stereo.sources import StereoSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """Who gets the results while they come."""

    heading: ClassVar[str] = "Publishing"
    publish: tuple[str, ...] = option(
        multiple=True,
        metavar="WHERE",
        help=f"Publish as topics; repeatable: {'; '.join(KINDS.values())}.",
    )
    publish_cloud: str = option(
        type=click.Choice(["organised", "dense"]),
        default="organised",
        show_default=True,
        help="A point for each pixel, or only those that are known.",
    )

    def message_options(self, max_relative_sigma: float) -> MessageOptions:
        """Return how results become messages."""
        return MessageOptions(self.publish_cloud == "organised", max_relative_sigma)


def publishing(
    options: PublishOptions,
    source: StereoSource,
    rect: Rectification,
    max_relative_sigma: float,
) -> Publishing:
    """Open what is to be published to; whoever asked closes it. Raises what opening raises."""
    publishers = open_publishers(options.publish)
    for _, publisher in publishers:
        if publisher.note:
            click.echo(publisher.note, err=True)
    return Publishing(
        publishers,
        live=source.live,
        rect=rect,
        options=options.message_options(max_relative_sigma),
    )
