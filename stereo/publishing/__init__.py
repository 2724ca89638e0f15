"""Results as topics for robots: an MCAP file, Foxglove's viewer, a running ROS 2."""
