/* Stubs, byte by byte.
 *
 *   timed                                   counted
 *   ---------------------------------       ------------------------------------------------
 *   entry:  push   %rbx                     slow:   pop    %rax
 *           movabs $hook, %rbx                      push   %rbx
 *           jmp    *1f(%rip)                        movabs $hook, %rbx
 *   1:      .quad  hot_entry_...                    jmp    *1f(%rip)
 *   bypass: pop    %rbx                     1:      .quad  hot_count_slow
 *                                           bypass: pop    %rbx
 *                                                   jmp    original
 *                                           entry:  push   %rax
 *                                                   mov    %fs:hot_thread+THREAD_BLOCK_REF, %rax
 *                                                   mov    (%rax), %rax
 *                                                   test   %rax, %rax
 *                                                   jz     slow
 *                                                   incq   cell+CELL_SUCCESS(%rax)
 *                                                   pop    %rax
 *   original: the relocated window, and a jump behind the patched one
 */
#include <errno.h>
#include <string.h>

#include "preload/callmeter/stub.h"
#include "preload/hot.h"
#include "symbols/diag.h"

struct writer {
    uint8_t *begin;
    uint8_t *at;
};

static void put(struct writer *writer, const void *bytes, size_t count)
{
    memcpy(writer->at, bytes, count);
    writer->at += count;
}

static void put_op(struct writer *writer, const char *bytes, size_t count)
{
    put(writer, bytes, count);
}

/* A literal of opcode bytes, without its terminator. */
#define PUT_OP(writer, literal) put_op(writer, literal, sizeof(literal) - 1)

static void put_32(struct writer *writer, int32_t value)
{
    put(writer, &value, sizeof(value));
}

static void put_64(struct writer *writer, uint64_t value)
{
    put(writer, &value, sizeof(value));
}

/* push %rbx; movabs $hook, %rbx; jmp *target(%rip); target: .quad */
static void put_to_trampoline(struct writer *writer, const struct hook *hook, const void *target)
{
    PUT_OP(writer, "\x53");
    PUT_OP(writer, "\x48\xbb");
    put_64(writer, (uint64_t)hook);
    PUT_OP(writer, "\xff\x25");
    put_32(writer, 0);
    put_64(writer, (uint64_t)target);
}

/* An 8-bit displacement, the last byte of the instruction that ends at `end`. */
static void set_jump_8(uint8_t *end, const uint8_t *target)
{
    end[-1] = (uint8_t)(target - end);
}

static const uint8_t *put_count(struct writer *writer, const struct stub_config *config, struct hook *hook)
{
    const uint8_t *slow = writer->at;
    const uint8_t *entry;
    uint8_t *bypass_end;

    PUT_OP(writer, "\x58"); /* pop %rax */
    put_to_trampoline(writer, hook, config->count_slow);
    hook->bypass = writer->at;
    PUT_OP(writer, "\x5b\xeb\x00"); /* pop %rbx; jmp disp8 */
    bypass_end = writer->at;
    entry = writer->at;
    PUT_OP(writer, "\x50\x64\x48\x8b\x04\x25"); /* push %rax; mov %fs:disp32, %rax */
    put_32(writer, (int32_t)config->thread_offset + THREAD_BLOCK_REF);
    PUT_OP(writer, "\x48\x8b\x00");         /* mov (%rax), %rax */
    PUT_OP(writer, "\x48\x85\xc0\x74\x00"); /* test %rax, %rax; jz disp8 */
    set_jump_8(writer->at, slow);
    PUT_OP(writer, "\x48\xff\x80"); /* incq disp32(%rax) */
    put_32(writer, (int32_t)(hook->cell + CELL_SUCCESS * 8));
    PUT_OP(writer, "\x58"); /* pop %rax */
    set_jump_8(bypass_end, writer->at);
    return entry;
}

int stub_write(const struct stub_config *config, const struct patch_plan *plan, struct hook *hook, uint8_t *memory,
               struct stub *ret_stub, struct diag *diag)
{
    struct writer writer = {memory, memory};
    const uint8_t *entry = memory;
    struct plan_relocated relocated;
    int result;

    if (hook->cell > INT32_MAX / 2) {
        diag_set(diag, "too many functions for one block of counters");
        return -ERANGE;
    }
    if (plan->mode == PLAN_FULL) {
        put_to_trampoline(&writer, hook, config->entry);
        hook->bypass = writer.at;
        PUT_OP(&writer, "\x5b"); /* pop %rbx */
    } else {
        entry = put_count(&writer, config, hook);
    }
    hook->original = writer.at;
    result = plan_relocate(plan, (uint64_t)writer.at, &relocated, diag);
    if (result != 0)
        return result;
    put(&writer, relocated.code, relocated.code_bytes);
    ret_stub->entry = entry;
    ret_stub->bytes = (size_t)(writer.at - writer.begin);
    return 0;
}
