// Which of the kernels this processor can run, and which one is wanted.
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "matcher.hpp"

namespace stereo {

const Kernel& best_kernel() {
  const char* wish = std::getenv("STEREO_SIMD");
  const std::string name = wish ? wish : "";
  const Kernel* available[3] = {&kKernelBaseline};
  int count = 1;
#if defined(STEREO_HAS_AVX)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
    available[count++] = &kKernelAvx2;
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bitalg"))
      available[count++] = &kKernelAvx512;
  }
#endif
  if (name.empty()) return *available[count - 1];
  std::string known;
  for (int i = 0; i < count; ++i) {
    if (name == available[i]->name) return *available[i];
    known += (i ? ", " : "") + std::string(available[i]->name);
  }
  throw std::invalid_argument("STEREO_SIMD=" + name + " is not available here; expected one of " +
                              known + ", or leave it unset");
}

}  // namespace stereo
