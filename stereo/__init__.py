"""Turn a pair of cameras into a trustworthy depth sensor.

    from calib import load_rig
    from stereo import Rectification, StereoFrame, StereoPipeline, make_matcher, read_image

    rect = Rectification.from_rig(load_rig("rig.yaml"))
    pipeline = StereoPipeline(rect, make_matcher("sgm", num_disparities=128))
    result = pipeline.process(StereoFrame(read_image("left.png"), read_image("right.png")))
    result.depth.depth_m, result.depth.sigma_m, result.cloud().points

    with open_source("sbs:0") as source, LiveDepth(source, load_rig("rig.yaml")) as live:
        for found in live:
            found.depth.depth_m, found.latency_s

The public names stand in ``__init__.pyi``. They are loaded when first used, so that
``import stereo`` and ``stereo --help`` stay instant.
"""

import lazy_loader

from stereo._version import __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
