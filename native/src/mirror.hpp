// Images as they go on beyond their border.
#pragma once

namespace stereo {

// Mirrored at the middle of the first and of the last one.
inline int mirrored(int i, int count) {
  if (count == 1) return 0;
  while (i < 0 || i >= count) i = i < 0 ? -i : 2 * count - 2 - i;
  return i;
}

}  // namespace stereo
