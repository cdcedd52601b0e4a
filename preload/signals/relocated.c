#include "preload/signals/relocated.h"

static struct relocated_map map;

void relocated_init(const struct relocated_map *given)
{
    map = *given;
}

static struct relocated_registers get(const ucontext_t *context)
{
    const gregset_t *registers = &context->uc_mcontext.gregs;

    return (struct relocated_registers){
        .pc = (uintptr_t)(*registers)[REG_RIP],
        .sp = (uintptr_t)(*registers)[REG_RSP],
        .rbx = (uint64_t)(*registers)[REG_RBX],
    };
}

static void set(ucontext_t *context, const struct relocated_registers *from)
{
    gregset_t *registers = &context->uc_mcontext.gregs;

    (*registers)[REG_RIP] = (greg_t)from->pc;
    (*registers)[REG_RSP] = (greg_t)from->sp;
    (*registers)[REG_RBX] = (greg_t)from->rbx;
}

void relocated_hide(ucontext_t *context, struct relocated *ret_relocated)
{
    ret_relocated->real = get(context);
    ret_relocated->shown = ret_relocated->real;
    ret_relocated->is_hidden = map.back && map.back(&ret_relocated->shown);
    if (ret_relocated->is_hidden)
        set(context, &ret_relocated->shown);
}

void relocated_show(ucontext_t *context, const struct relocated *relocated)
{
    struct relocated_registers now = get(context);

    if (!relocated->is_hidden)
        return;
    if (now.pc != relocated->shown.pc) {
        map.forth(relocated->real.pc, &now.pc);
    } else {
        now.pc = relocated->real.pc;
        now.sp = now.sp == relocated->shown.sp ? relocated->real.sp : now.sp;
        now.rbx = now.rbx == relocated->shown.rbx ? relocated->real.rbx : now.rbx;
    }
    set(context, &now);
}
