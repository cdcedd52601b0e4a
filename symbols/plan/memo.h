/* What the planner keeps of one object from function to function. Private to symbols/plan/. */
#ifndef CALLMETER_SYMBOLS_PLAN_MEMO_H
#define CALLMETER_SYMBOLS_PLAN_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "symbols/plan/plan.h"

/* What is known of a function that others end in a jump to. */
struct memo_function {
    enum plan_reason tail; /* what those mean that it ends in a jump to itself, and its name */
    bool looks_back;       /* at its return address */
};

/* Answers to questions about functions, by their address, which is not 0. A round is one question from outside with all
 * that it leads to. Nothing is looked at twice in it: a function has no `tail` as soon as it was asked for, and keeps
 * that if the whole round found nothing. If it found something, those of its parts that have none are open, since what
 * they lead to was looked at from elsewhere. Context: startup. */
void memo_begin(struct plan_memo *memo);
bool memo_find(const struct plan_memo *memo, uint64_t address, struct memo_function *ret_function);

/* False: no memory, and it is not kept. */
bool memo_keep(struct plan_memo *memo, uint64_t address, const struct memo_function *function);

/* Something was not looked at in this round. */
void memo_cut(struct plan_memo *memo);
void memo_end(struct plan_memo *memo, bool has_found);

/* The lowest address above `address` (the object's own) that some instruction of the object may name by a `lea`, at
 * most `limit`: what begins at `address` ends there. Read when it is first asked for. Without memory: `limit`. */
uint64_t memo_next_named(const struct plan_object *object, uint64_t address, uint64_t limit);

#endif
