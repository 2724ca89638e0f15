# The public names, each with its home: written here and nowhere else. __init__.py loads them from
# this list when they are first used; type checkers read it as it stands.

from .cloud import PointCloud as PointCloud
from .cloud import crop as crop
from .cloud import point_cloud as point_cloud
from .cloud import remove_outliers as remove_outliers
from .cloud import thin as thin
from .cloud import with_normals as with_normals
from .compute import compute_depth as compute_depth
from .depth import depth_sigma as depth_sigma
from .depth import depth_to_disparity as depth_to_disparity
from .depth import disparity_to_depth as disparity_to_depth
from .errors import StereoError as StereoError
from .evaluation.evaluate import Metrics as Metrics
from .evaluation.evaluate import evaluate as evaluate
from .files.images import read_image as read_image
from .frame import DepthFrame as DepthFrame
from .frame import DisparityMap as DisparityMap
from .frame import RectifiedPair as RectifiedPair
from .frame import SearchRange as SearchRange
from .frame import StereoFrame as StereoFrame
from .frame import StereoGeometry as StereoGeometry
from .live.depth import LiveDepth as LiveDepth
from .live.depth import LiveFrame as LiveFrame
from .live.pipeline import LiveSettings as LiveSettings
from .matching import MATCHERS as MATCHERS
from .matching import AutoRangeMatcher as AutoRangeMatcher
from .matching import Matcher as Matcher
from .matching import SgbmMatcher as SgbmMatcher
from .matching import SgbmParams as SgbmParams
from .matching import SgmMatcher as SgmMatcher
from .matching import SgmParams as SgmParams
from .matching import find_search_range as find_search_range
from .matching import make_matcher as make_matcher
from .matching import search_range_for_depths as search_range_for_depths
from .pipeline import StereoPipeline as StereoPipeline
from .rectify import Rectification as Rectification
from .refining.filling import fill_holes as fill_holes
from .refining.refine import RefineParams as RefineParams
from .refining.refine import left_right_check as left_right_check
from .refining.refine import remove_speckles as remove_speckles
from .register import RegisteredDepth as RegisteredDepth
from .register import Registration as Registration
from .result import StereoResult as StereoResult
from .run.check import RowCheck as RowCheck
from .run.check import check_rows as check_rows
from .run.check import check_swapped as check_swapped
from .sources import Event as Event
from .sources import SourceOptions as SourceOptions
from .sources import open_source as open_source

__version__: str
