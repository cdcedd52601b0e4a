#include "preload/machine/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "preload/machine/x86_64/cpu.h"

struct machine {
    uint32_t a;
    uint32_t x;
    uint32_t memory[BPF_MEMWORDS];
    struct seccomp_data data;
};

static bool load(const struct machine *machine, const struct sock_filter *at, uint32_t *ret_value)
{
    const uint32_t *words = (const uint32_t *)&machine->data;

    switch (BPF_MODE(at->code)) {
    case BPF_IMM:
        *ret_value = at->k;
        return true;
    case BPF_LEN:
        *ret_value = sizeof(machine->data);
        return true;
    case BPF_ABS:
        if (at->k % 4 != 0 || at->k >= sizeof(machine->data))
            return false;
        *ret_value = words[at->k / 4];
        return true;
    case BPF_MEM:
        if (at->k >= BPF_MEMWORDS)
            return false;
        *ret_value = machine->memory[at->k];
        return true;
    default:
        return false;
    }
}

static bool store(struct machine *machine, uint32_t position, uint32_t value)
{
    if (position >= BPF_MEMWORDS)
        return false;
    machine->memory[position] = value;
    return true;
}

static bool compute(struct machine *machine, const struct sock_filter *at)
{
    uint32_t operand = BPF_SRC(at->code) == BPF_X ? machine->x : at->k;
    uint32_t a = machine->a;

    switch (BPF_OP(at->code)) {
    case BPF_ADD:
        a += operand;
        break;
    case BPF_SUB:
        a -= operand;
        break;
    case BPF_MUL:
        a *= operand;
        break;
    case BPF_DIV:
        if (operand == 0)
            return false;
        a /= operand;
        break;
    case BPF_AND:
        a &= operand;
        break;
    case BPF_OR:
        a |= operand;
        break;
    case BPF_XOR:
        a ^= operand;
        break;
    case BPF_LSH:
        a = operand < 32 ? a << operand : 0;
        break;
    case BPF_RSH:
        a = operand < 32 ? a >> operand : 0;
        break;
    case BPF_NEG:
        a = -a;
        break;
    default:
        return false;
    }
    machine->a = a;
    return true;
}

/* How many instructions to skip; negative: it is no jump. */
static int64_t jump(const struct machine *machine, const struct sock_filter *at)
{
    uint32_t operand = BPF_SRC(at->code) == BPF_X ? machine->x : at->k;
    bool holds;

    switch (BPF_OP(at->code)) {
    case BPF_JA:
        return at->k;
    case BPF_JEQ:
        holds = machine->a == operand;
        break;
    case BPF_JGT:
        holds = machine->a > operand;
        break;
    case BPF_JGE:
        holds = machine->a >= operand;
        break;
    case BPF_JSET:
        holds = machine->a & operand;
        break;
    default:
        return -1;
    }
    return holds ? at->jt : at->jf;
}

/* All but returns. false: the kernel knows no such instruction. */
static bool step(struct machine *machine, const struct sock_filter *at, uint64_t *position)
{
    int64_t skipped;

    switch (BPF_CLASS(at->code)) {
    case BPF_LD:
        return load(machine, at, &machine->a);
    case BPF_LDX:
        return load(machine, at, &machine->x);
    case BPF_ST:
        return store(machine, at->k, machine->a);
    case BPF_STX:
        return store(machine, at->k, machine->x);
    case BPF_ALU:
        return compute(machine, at);
    case BPF_JMP:
        skipped = jump(machine, at);
        *position += skipped > 0 ? (uint64_t)skipped : 0;
        return skipped >= 0;
    case BPF_MISC:
        if (BPF_MISCOP(at->code) == BPF_TAX)
            machine->x = machine->a;
        else
            machine->a = machine->x;
        return true;
    default:
        return false;
    }
}

uint32_t filter_run(const struct sock_filter *code, unsigned length, uint32_t number)
{
    struct machine machine = {.data = {.nr = (int)number, .arch = AUDIT_ARCH_X86_64}};

    for (uint64_t position = 0; position < length; position++) { /* there are no jumps back */
        const struct sock_filter *at = &code[position];

        if (BPF_CLASS(at->code) == BPF_RET)
            return BPF_RVAL(at->code) == BPF_A ? machine.a : at->k;
        if (!step(&machine, at, &position))
            break;
    }
    return SECCOMP_RET_KILL_PROCESS;
}

/* All ways -------------------------------------------------------------------------------------------------------- */

static unsigned way_of(uint32_t answer)
{
    uint32_t action = answer & SECCOMP_RET_ACTION_FULL;

    if (action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG)
        return FILTER_ALLOWS;
    return action == SECCOMP_RET_ERRNO ? FILTER_FAILS : FILTER_KILLS;
}

/* Control may come to `to` with this, too. */
static void join(struct filter_state *to, const struct filter_state *state)
{
    if (!to->is_reached) {
        *to = *state;
        return;
    }
    to->is_a_known &= state->is_a_known && to->a == state->a;
    to->is_x_known &= state->is_x_known && to->x == state->x;
}

static bool is_register_used(const struct sock_filter *at)
{
    return BPF_CLASS(at->code) == BPF_JMP ? BPF_OP(at->code) != BPF_JA && BPF_SRC(at->code) == BPF_X
                                          : BPF_SRC(at->code) == BPF_X && BPF_OP(at->code) != BPF_NEG;
}

/* Of all that is loaded only the number and the architecture are known. */
static bool is_load_known(const struct sock_filter *at)
{
    return BPF_MODE(at->code) == BPF_IMM || BPF_MODE(at->code) == BPF_LEN ||
           (BPF_MODE(at->code) == BPF_ABS && at->k < offsetof(struct seccomp_data, instruction_pointer));
}

/* Of an instruction that is neither a jump nor a return; false: the kernel knows no such. */
static bool follow(const struct sock_filter *at, uint32_t number, struct filter_state *state)
{
    struct machine machine = {.a = state->a, .x = state->x, .data = {.nr = (int)number, .arch = AUDIT_ARCH_X86_64}};
    uint64_t position = 0;
    bool is_x_used = BPF_CLASS(at->code) == BPF_ALU && is_register_used(at);

    if (BPF_CLASS(at->code) == BPF_LD)
        state->is_a_known = is_load_known(at);
    else if (BPF_CLASS(at->code) == BPF_LDX)
        state->is_x_known = is_load_known(at);
    else if (BPF_CLASS(at->code) == BPF_ALU)
        state->is_a_known = state->is_a_known && (!is_x_used || state->is_x_known);
    else if (BPF_CLASS(at->code) == BPF_MISC && BPF_MISCOP(at->code) == BPF_TAX)
        state->is_x_known = state->is_a_known;
    else if (BPF_CLASS(at->code) == BPF_MISC)
        state->is_a_known = state->is_x_known;
    if (!step(&machine, at, &position) && BPF_CLASS(at->code) != BPF_ALU)
        return false;
    state->a = machine.a;
    state->x = machine.x;
    return true;
}

static void branch(const struct sock_filter *at, const struct filter_state *state, struct filter_state *next,
                   unsigned room)
{
    struct machine machine = {.a = state->a, .x = state->x};
    bool is_known = BPF_OP(at->code) == BPF_JA || (state->is_a_known && (!is_register_used(at) || state->is_x_known));
    int64_t skipped = jump(&machine, at);

    if (is_known && skipped >= 0 && skipped < room)
        join(&next[skipped], state);
    if (!is_known && at->jt < room)
        join(&next[at->jt], state);
    if (!is_known && at->jf < room)
        join(&next[at->jf], state);
}

/* All jumps lead forward: once, from the first to the last. */
unsigned filter_ways(const struct sock_filter *code, unsigned length, uint32_t number, struct filter_state *states)
{
    unsigned ways = length == 0 ? FILTER_KILLS : 0;

    for (unsigned i = 0; i < length; i++)
        states[i] = (struct filter_state){.is_reached = i == 0, .is_a_known = i == 0, .is_x_known = i == 0};
    for (unsigned i = 0; i < length; i++) {
        struct filter_state state = states[i];

        if (!state.is_reached)
            continue;
        if (BPF_CLASS(code[i].code) == BPF_RET)
            ways |= BPF_RVAL(code[i].code) != BPF_A ? way_of(code[i].k)
                    : state.is_a_known              ? way_of(state.a)
                                                    : FILTER_ALLOWS | FILTER_FAILS | FILTER_KILLS;
        else if (BPF_CLASS(code[i].code) == BPF_JMP)
            branch(&code[i], &state, &states[i + 1], length - i - 1);
        else if (!follow(&code[i], number, &state))
            ways |= FILTER_KILLS;
        else if (i + 1 < length)
            join(&states[i + 1], &state);
    }
    return ways;
}

static bool is_range_readable(uintptr_t address, uintptr_t bytes)
{
    for (uintptr_t at = address & ~(uintptr_t)4095; at < address + bytes; at += 4096)
        if (!cpu_is_readable(at > address ? at : address & ~(uintptr_t)7))
            return false;
    return true;
}

unsigned filter_length(const struct sock_fprog *program)
{
    if (!is_range_readable((uintptr_t)program, sizeof(*program)) ||
        !is_range_readable((uintptr_t)program->filter, program->len * sizeof(*program->filter)))
        return 0;
    return program->len;
}
