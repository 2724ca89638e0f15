"""Turn a pair of cameras into a trustworthy depth sensor.

    result = stereo.compute_depth("left.png", "right.png", "rig.yaml")
    result.depth.depth_m, result.depth.sigma_m  # (H, W) metres, NaN where unknown
    result.depth.at(320, 240), result.cloud().points, result.save("out")

    pipeline = StereoPipeline(Rectification.from_rig(load_rig("rig.yaml")))  # once per rig
    result = pipeline.process(left, right)  # per pair

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
