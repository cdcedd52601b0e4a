/* The patch planner: may this function be given a trampoline, which bytes are replaced, and how do they read elsewhere?
 *
 * Works on bytes alone, in this process or out of it: `callmeter check` and the shim get the same answer. Decoding is
 * Zydis's. */
#ifndef CALLMETER_SYMBOLS_PLAN_PLAN_H
#define CALLMETER_SYMBOLS_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

enum {
    PLAN_JUMP_BYTES = 5,        /* jmp rel32, which replaces the window's first bytes */
    PLAN_WINDOW_BYTES_MAX = 32, /* whole instructions that cover the jump */
    PLAN_WINDOW_INSTRUCTIONS_MAX = 8,
    PLAN_RELOCATED_BYTES_MAX = 192, /* the window rewritten for another address, and the jump back */
};

enum plan_mode {
    PLAN_REFUSED,
    PLAN_COUNT, /* entries can be counted: a jump to the original, with nothing else changed */
    PLAN_FULL,  /* the call can be timed and judged */
};

/* Why the mode is not PLAN_FULL. The enumerators are the planner's own; users see plan_reason_text. */
enum plan_reason {
    PLAN_REASON_NONE,
    PLAN_REASON_TOO_SHORT,        /* refused: no room for the jump, padding included */
    PLAN_REASON_UNDECODABLE,      /* refused: bytes that are no instruction */
    PLAN_REASON_JUMP_INTO_WINDOW, /* refused: the function jumps into the bytes to be replaced */
    PLAN_REASON_JUMP_TO_ENTRY, /* it jumps back to its own entry. Count: a tail call of itself, that is, to an endbr64
                                  in front of the window or to a first push. Refused: anything else may be a loop,
                                  and each round of it would count as a call */
    PLAN_REASON_RETURNS_TWICE, /* count: setjmp, vfork, getcontext and their like */
    PLAN_REASON_CALLER_SENSITIVE, /* count: looks at its return address (dlsym, dlopen, ...) */
    PLAN_REASON_SPECIAL_ABI,      /* refused: __tls_get_addr, _start, Go code */
    PLAN_REASON_UNSAVED_RBX,      /* count: uses rbx without saving it */
    PLAN_REASON_SHORT_CALL,       /* refused: a call whose return address lies in the window */
    PLAN_REASON_SHADOW_STACK,     /* refused: a call in the window, under a hardware shadow stack */
    PLAN_REASON_UNMOVABLE,        /* refused: an instruction that cannot be rewritten elsewhere (xbegin, ...) */
    PLAN_REASON_ALREADY_PATCHED,  /* refused: memory differs from the file */
    PLAN_REASON_NEVER_RETURNS,    /* count: goes on elsewhere in the same thread (longjmp, setcontext, ...) */
    PLAN_REASON_BREAKPOINT,  /* refused: an `int3` in the window, as uprobes put it (into every private mapping of the
                                file, so that no comparison shows it); a copy of it is nobody's */
    PLAN_REASON_FLAGS_IN,    /* refused: reads the processor's flags before it sets them */
    PLAN_REASON_MEMORY_TEST, /* refused: writes over all memory, ours too, and puts it back */
    PLAN_REASON_FLAGS_OUT,   /* count: somebody reads the flags behind a call of it */
    PLAN_REASON_TABLE_INTO_WINDOW, /* refused: data or a table of jumps hold an address in the bytes to be replaced */
    PLAN_REASON_TABLE_TO_ENTRY,    /* refused: a table of jumps leads back to the entry: rounds would count as calls */
    PLAN_REASON_UNKNOWN_TABLE,     /* refused: it jumps by a table that is not found */
    PLAN_REASON_TAIL_CALLER_SENSITIVE, /* count: it ends in a jump to one that looks at its return address */
    PLAN_REASON_TAIL_RETURNS_TWICE,    /* count: it ends in a jump to one that returns twice */
    PLAN_REASON_PROFILED,              /* count: it calls mcount or __fentry__, which look at its return address */
    PLAN_REASON_COUNT_,
};

/* A place in the object's data and the address in its code that stands there, both the object's own (without bias). */
struct plan_pointer {
    uint64_t place;
    uint64_t value;
};

/* A place (of the global offset table, or any other) where the loader writes the address of a function of this name. */
struct plan_import {
    uint64_t place;
    const char *name;
};

struct plan_memo;

/* What the planner may ask of the object that a function is of. All addresses are the object's own: `bias` less than
 * those of requests and plans. */
struct plan_object {
    const void *context; /* for the three questions */
    uint64_t bias;
    uint64_t code_start; /* all its code lies from here */
    uint64_t code_end;
    bool is_fixed;                       /* linked to one address: any number in its data or code may be an address */
    const struct plan_pointer *pointers; /* by place; all words of its data that may lead into code */
    size_t pointer_count;
    const struct plan_import *imports; /* by place; those of which plan_is_special says so */
    size_t import_count;

    /* The bytes of the file that lie there when it is loaded, code or data; NULL: none. */
    const uint8_t *(*bytes_at)(const void *context, uint64_t address, size_t *ret_bytes);
    /* The function around an address, as far as symbols and unwind information tell. */
    bool (*function_at)(const void *context, uint64_t address, uint64_t *ret_start, uint64_t *ret_bytes);
    /* The name of a function that begins there, or NULL. */
    const char *(*name_at)(const void *context, uint64_t address);

    struct plan_memo *memo; /* plan_memo_create's */
};

/* What the planner is shown. All memory is the caller's and only read. */
struct plan_request {
    const char *symbol;    /* ELF name without version, for the lists of special functions; NULL if none */
    const uint8_t *code;   /* bytes from the entry on */
    size_t code_bytes;     /* readable there: the function, and padding up to the next symbol or the section's end */
    size_t function_bytes; /* the symbol's size; 0 if unknown: then decoding goes up to code_bytes */
    size_t next_symbol;    /* bytes from here to the next symbol at a higher address, which may lie inside of the
                              function (a second entry): the window ends before it. 0: none, or it is at code_bytes */
    uint64_t address;      /* of code[0], the same address space as stub addresses */
    const uint8_t *cold;   /* the `.cold` part of the function, or NULL */
    size_t cold_bytes;
    uint64_t cold_address;
    bool is_haskell;                  /* the object has code that GHC made */
    bool has_shadow_stack;            /* the processor keeps a shadow stack for this process */
    const struct plan_object *object; /* NULL: only the function's own bytes are looked at */
};

/* One instruction of the window, before and after; for mapping a program counter back. */
struct plan_instruction {
    uint8_t offset; /* from the window's start */
    uint8_t length;
};

struct patch_plan {
    enum plan_mode mode;
    enum plan_reason reason;
    uint8_t skip_bytes;   /* endbr64 that stays in front of the window: 0 or 4 */
    uint8_t window_bytes; /* replaced: 5 and more, whole instructions (padding may be part of it) */
    bool has_return;      /* some `ret` is in it */
    uint8_t instruction_count;
    struct plan_instruction instructions[PLAN_WINDOW_INSTRUCTIONS_MAX];
    uint8_t original[PLAN_WINDOW_BYTES_MAX]; /* the window as it was */
    uint64_t address;                        /* of the window's first byte */
    uint64_t function_bytes;                 /* from the entry on; 0: unknown */
    uint64_t body;         /* it is but a test and a jump there, to code without a name of its own; 0: it is not */
    uint64_t body_bytes;   /* of that code */
    uint32_t body_callers; /* calls and jumps to there from elsewhere (plan_check_branches): none of them is counted */
    bool is_cover;         /* it hands arguments of its own to the body, which is something more general, then */
};

/* The window rewritten to run at another address. */
struct plan_relocated {
    uint8_t code[PLAN_RELOCATED_BYTES_MAX];
    size_t code_bytes;                             /* the jump back at the end included */
    uint8_t offsets[PLAN_WINDOW_INSTRUCTIONS_MAX]; /* where each instruction of the window went */
};

/* Fills *ret_plan in any case; the answer is its mode. Never fails; allocates nothing but within request->object->memo.
 * Context: startup. */
void plan_function(const struct plan_request *request, struct patch_plan *ret_plan);

/* Refuses those of `plans`, which are all of the object that `code` (one whole executable section) belongs to, into
 * whose window a branch leads from anywhere in `code`: from another function. Hand-written assembly does it: glibc's
 * mempcpy jumps to memmove+3. Or whose address is taken there, by a number where the object is linked to one place. And
 * leaves PLAN_COUNT of those that answer by the processor's flags: x264 does `call f;
 * je`. Counts the callers of bodies (patch_plan.body_callers). Sorts `plans` by address. One pass, some nanoseconds a
 * byte. Context: startup. */
void plan_check_branches(struct patch_plan **plans, size_t plan_count, const uint8_t *code, size_t code_bytes,
                         uint64_t address, bool is_fixed);

/* Refuses those of `plans` (sorted by address, as plan_check_branches leaves them) into whose window a pointer of the
 * object's data leads, and those to whose entry a table of
 * labels does: pointers to a function's inside and to its entry side by side. Else a pointer to an entry is one for
 * calls. Context: startup. */
void plan_check_pointers(struct patch_plan **plans, size_t plan_count, const struct plan_object *object);

/* True for names of functions that the planner treats by name, other than those of start-up code, so that it matters
 * who jumps to them. */
bool plan_is_special(const char *symbol);

/* What the planner keeps of one object from function to function. NULL: no memory. The second takes NULL. Context:
 * startup. */
struct plan_memo *plan_memo_create(void);
void plan_memo_destroy(struct plan_memo *memo);

/* Rewrites the window to run at `address`, which lies within 2 GiB of the window. -ERANGE: some operand is out of reach
 * from there; -ENOTSUP: some instruction cannot be rewritten (never after plan_function said count or full); the diag
 * says which. Allocates nothing. Context: startup. */
int plan_relocate(const struct patch_plan *plan, uint64_t address, struct plan_relocated *ret_relocated,
                  struct diag *diag);

/* One clause a user understands, such as "the function is too short (3 bytes) for a jump"; static text. */
const char *plan_reason_text(enum plan_reason reason);

#endif
