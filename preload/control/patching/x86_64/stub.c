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
 *   sampled                                         jmp    original
 *   ---------------------------------       entry:  push   %rax
 *   decide: pop    %rax                             mov    %fs:hot_thread+THREAD_BLOCK_REF, %rax
 *           push   %rbx                             mov    (%rax), %rax
 *           movabs $weighed, %rbx                   test   %rax, %rax
 *           jmp    hot_sample_...                   jz     slow
 *   timed:  pop    %rax                             incq   cell+CELL_SUCCESS(%rax)
 *           push   %rbx                             pop    %rax
 *           movabs $hook, %rbx
 *           jmp    hot_entry_...            counted, with labels or items: as timed, to hot_count_slow
 *   out:    pop    %rax
 *           push   %rbx
 *           movabs $untimed, %rbx           (without an untimed hook, in place of these:
 *           jmp    hot_entry_untimed
 *   bypass: pop    %rbx
 *           jmp    original
 *   entry:  push   %rax
 *           mov    %fs:hot_thread+THREAD_BLOCK_REF, %rax
 *           mov    (%rax), %rax
 *           test   %rax, %rax
 *           jz     timed
 *           decq   skip(%rax)
 *           jg     out                      jg     1f
 *           je     decide
 *           movabs $interval, %rax
 *           mov    (%rax), %rax
 *           dec    %rax
 *           shr    $32, %rax
 *           jz     timed
 *           jmp    decide                   1: incq skipped(%rax); pop %rax)
 *
 *   original: the relocated window, and a jump behind the patched one
 */
#include <errno.h>
#include <string.h>

#include "preload/control/patching/stub.h"
#include "preload/records/hot.h"
#include "server/segment/segment.h"
#include "symbols/common/diag.h"

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

/* mov %fs:hot_thread+THREAD_BLOCK_REF, %rax; mov (%rax), %rax; test %rax, %rax */
static void put_load_block(struct writer *writer, const struct stub_config *config)
{
    PUT_OP(writer, "\x64\x48\x8b\x04\x25"); /* mov %fs:disp32, %rax */
    put_32(writer, (int32_t)config->thread_offset + THREAD_BLOCK_REF);
    PUT_OP(writer, "\x48\x8b\x00"); /* mov (%rax), %rax */
    PUT_OP(writer, "\x48\x85\xc0"); /* test %rax, %rax */
}

/* A jump with a 32-bit displacement; `opcode` is its bytes. */
static void put_jump(struct writer *writer, const char *opcode, size_t count, const uint8_t *target)
{
    put_op(writer, opcode, count);
    put_32(writer, (int32_t)(target - (writer->at + 4)));
}

#define PUT_JUMP(writer, literal, target) put_jump(writer, literal, sizeof(literal) - 1, target)

/* Jumps forward to what is written next: the displacement is set later, by its end. */
static uint8_t *put_jump_ahead(struct writer *writer, const char *opcode, size_t count)
{
    put_op(writer, opcode, count);
    put_32(writer, 0);
    return writer->at;
}

static void land(const struct writer *writer, uint8_t *jump_end)
{
    int32_t distance = (int32_t)(writer->at - jump_end);

    memcpy(jump_end - sizeof(distance), &distance, sizeof(distance));
}

/* pop %rax, and on to a trampoline. Its address. */
static const uint8_t *put_leave(struct writer *writer, const struct hook *hook, const void *target)
{
    const uint8_t *start = writer->at;

    PUT_OP(writer, "\x58"); /* pop %rax */
    put_to_trampoline(writer, hook, target);
    return start;
}

static void put_timed(struct writer *writer, const struct stub_request *request, const void *target, struct stub *stub)
{
    stub->entry = writer->at;
    put_to_trampoline(writer, request->hook, target);
    stub->bypass = writer->at;
    PUT_OP(writer, "\x5b"); /* pop %rbx */
}

/* The two ways in, of which the entry has pushed rax and loaded the block, flags set by whether there is one. Gives the
 * end of the bypass, which the caller lands. */
static uint8_t *put_ways_in(struct writer *writer, const struct stub_config *config, struct stub *stub)
{
    uint8_t *bypass_end;

    stub->bypass = writer->at;
    PUT_OP(writer, "\x5b"); /* pop %rbx */
    bypass_end = put_jump_ahead(writer, "\xe9", 1);
    stub->entry = writer->at;
    PUT_OP(writer, "\x50"); /* push %rax */
    put_load_block(writer, config);
    return bypass_end;
}

static void put_count(struct writer *writer, const struct stub_config *config, const struct stub_request *request,
                      struct stub *stub)
{
    const uint8_t *slow = put_leave(writer, request->hook, config->count_slow);
    uint8_t *bypass_end = put_ways_in(writer, config, stub);

    PUT_JUMP(writer, "\x0f\x84", slow); /* jz */
    PUT_OP(writer, "\x48\xff\x80");     /* incq disp32(%rax) */
    put_32(writer, (int32_t)(request->hook->cell + CELL_SUCCESS * 8));
    PUT_OP(writer, "\x58"); /* pop %rax */
    land(writer, bypass_end);
}

static void put_sampled(struct writer *writer, const struct stub_config *config, const struct stub_request *request,
                        struct stub *stub)
{
    const uint8_t *decide = put_leave(writer, request->weighed, config->sample);
    const uint8_t *timed = put_leave(writer, request->hook, config->entry);
    const uint8_t *out = request->untimed ? put_leave(writer, request->untimed, config->entry_untimed) : NULL;
    uint8_t *bypass_end = put_ways_in(writer, config, stub);
    uint8_t *out_end = NULL;

    PUT_JUMP(writer, "\x0f\x84", timed); /* jz */
    PUT_OP(writer, "\x48\xff\x88");      /* decq disp32(%rax) */
    put_32(writer, (int32_t)request->skip);
    if (out)
        PUT_JUMP(writer, "\x0f\x8f", out); /* jg */
    else
        out_end = put_jump_ahead(writer, "\x0f\x8f", 2); /* jg */
    PUT_JUMP(writer, "\x0f\x84", decide);                /* je */
    PUT_OP(writer, "\x48\xb8");                          /* movabs $imm64, %rax */
    put_64(writer, (uint64_t)&request->sampling->interval);
    PUT_OP(writer, "\x48\x8b\x00");      /* mov (%rax), %rax: 32 bits of fraction */
    PUT_OP(writer, "\x48\xff\xc8");      /* dec %rax */
    PUT_OP(writer, "\x48\xc1\xe8\x20");  /* shr $32, %rax */
    PUT_JUMP(writer, "\x0f\x84", timed); /* jz: at most 1 */
    PUT_JUMP(writer, "\xe9", decide);
    if (out_end) {
        land(writer, out_end);
        PUT_OP(writer, "\x48\xff\x80"); /* incq disp32(%rax) */
        put_32(writer, (int32_t)request->skipped);
        PUT_OP(writer, "\x58"); /* pop %rax */
    }
    land(writer, bypass_end);
}

int stub_write(const struct stub_config *config, const struct stub_request *request, uint8_t *memory,
               struct stub *ret_stub, struct diag *diag)
{
    struct writer writer = {memory, memory};
    struct plan_relocated relocated;
    struct stub stub;
    int result;

    if (request->hook->cell > INT32_MAX / 2 || request->skip > INT32_MAX / 2) {
        diag_set(diag, "too many functions and labels for one block of counters");
        return -ERANGE;
    }
    if (request->weighed)
        put_sampled(&writer, config, request, &stub);
    else if (request->plan->mode == PLAN_FULL)
        put_timed(&writer, request, config->entry, &stub);
    else if (request->is_count_extra)
        put_timed(&writer, request, config->count_slow, &stub);
    else
        put_count(&writer, config, request, &stub);
    stub.original = writer.at;
    result = plan_relocate(request->plan, (uint64_t)writer.at, &relocated, diag);
    if (result != 0)
        return result;
    put(&writer, relocated.code, relocated.code_bytes);
    stub.bytes = (size_t)(writer.at - writer.begin);
    memcpy(stub.offsets, relocated.offsets, sizeof(stub.offsets));
    *ret_stub = stub;
    return 0;
}
