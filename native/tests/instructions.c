// A plugin of qemu-user that counts instructions by kind; benchmarks/arm64.py builds and runs it.
//
// qemu-plugin.h is not packaged by Debian: these are its few declarations that are needed here.
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb*);
typedef void (*at_exit)(qemu_plugin_id_t, void*);
enum { ADD_U64 = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb*, int, void*, uint64_t);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, at_exit, void*);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn*);
void qemu_plugin_outs(const char*);

int qemu_plugin_version = 1;

enum Kind { VECTOR, MEMORY, OTHER, KINDS };
static uint64_t counts[KINDS];

// Bits 28 to 25 of an A64 instruction: its top-level class in the architecture's manual.
static enum Kind kind_of(uint32_t code) {
  const unsigned op = code >> 25 & 15;
  if ((op & 7) == 7) return VECTOR;  // SIMD and floating point
  if ((op & 5) == 4) return MEMORY;  // loads and stores, of vectors too
  return OTHER;
}

static void count(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
  (void)id;
  uint64_t here[KINDS] = {0};
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
    uint32_t code;
    memcpy(&code, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, i)), sizeof code);
    ++here[kind_of(code)];
  }
  for (int kind = 0; kind < KINDS; ++kind)
    if (here[kind])
      qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &counts[kind], here[kind]);
}

static void tell(qemu_plugin_id_t id, void* unused) {
  (void)id, (void)unused;
  char text[96];
  snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", counts[VECTOR],
           counts[MEMORY], counts[OTHER]);
  qemu_plugin_outs(text);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
  (void)info, (void)argc, (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, count);
  qemu_plugin_register_atexit_cb(id, tell, NULL);
  return 0;
}
