"""From a disparity to a better one."""
