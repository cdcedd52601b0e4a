/* Short names of the planner's reasons, for the tests' own output. */
#ifndef CALLMETER_TESTS_PLAN_REASON_H
#define CALLMETER_TESTS_PLAN_REASON_H

#include "symbols/plan/plan.h"

static const char *const reason_names[PLAN_REASON_COUNT_] = {
    [PLAN_REASON_NONE] = "full",
    [PLAN_REASON_TOO_SHORT] = "too short",
    [PLAN_REASON_UNDECODABLE] = "undecodable",
    [PLAN_REASON_JUMP_INTO_WINDOW] = "jump into window",
    [PLAN_REASON_JUMP_TO_ENTRY] = "jump to entry",
    [PLAN_REASON_RETURNS_TWICE] = "returns twice",
    [PLAN_REASON_CALLER_SENSITIVE] = "caller-sensitive",
    [PLAN_REASON_SPECIAL_ABI] = "special ABI",
    [PLAN_REASON_UNSAVED_RBX] = "unsaved rbx",
    [PLAN_REASON_SHORT_CALL] = "short call",
    [PLAN_REASON_SHADOW_STACK] = "shadow stack",
    [PLAN_REASON_UNMOVABLE] = "unmovable",
    [PLAN_REASON_ALREADY_PATCHED] = "already patched",
    [PLAN_REASON_MEMORY_TEST] = "memory test",
    [PLAN_REASON_NEVER_RETURNS] = "never returns",
    [PLAN_REASON_BREAKPOINT] = "breakpoint",
    [PLAN_REASON_FLAGS_IN] = "flags in",
    [PLAN_REASON_FLAGS_OUT] = "flags out",
    [PLAN_REASON_TABLE_INTO_WINDOW] = "table into window",
    [PLAN_REASON_TABLE_TO_ENTRY] = "table to entry",
    [PLAN_REASON_UNKNOWN_TABLE] = "unknown table",
    [PLAN_REASON_TAIL_CALLER_SENSITIVE] = "tail caller-sensitive",
    [PLAN_REASON_TAIL_RETURNS_TWICE] = "tail returns twice",
    [PLAN_REASON_PROFILED] = "profiled",
};

#endif
