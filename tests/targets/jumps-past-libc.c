/* Very many jumps that no library sees, over tracked calls: what each leaves behind is found and used again. */
#include "victim.h"

#include <stdio.h>

#include "resident.h"

static void *buffer[5]; /* of __builtin_setjmp */

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int jump(int value)
{
    TOUCH();
    if (value >= 0)
        __builtin_longjmp(buffer, 1);
    return value;
}

TRACKED int jump_deep(int depth, int value)
{
    int result;

    TOUCH();
    result = depth == 0 ? jump(value) : jump_deep(depth - 1, value);
    TOUCH();
    return result;
}

__attribute__((noinline)) static void jump_once(int value)
{
    if (__builtin_setjmp(buffer) == 0)
        jump_deep(3, value);
}

static void all(void)
{
    enum {
        TIMES = 100000
    };
    long settled_kb = 0;

    for (int i = 0; i < TIMES; i++) {
        if (i == TIMES / 4)
            settled_kb = resident_kb();
        jump_once(i);
        CHECK(work(i) == i + 1);
    }
    resident_check("the jumps after the first ones", settled_kb, 1024);
    printf("truth work success=%d\n", TIMES);
    printf("truth jump abandoned=%d\n", TIMES);
    printf("truth jump_deep abandoned=%d\n", TIMES * 4);
}

/* At once: a call from the very slot of the one that was left, with none in between.
 *
 * call_at_once(left, next): calls `left`, which jumps to behind that call, and then `next`, from the same slot. */
typedef long at_once_call(void);
long call_at_once(at_once_call *left, at_once_call *next);
long leave_here(void);
long leave_by_tail(void);
long return_by_tail(void);
long return_here(void);

__asm__(".text\n"
        ".globl call_at_once\n"
        ".type call_at_once, @function\n"
        "call_at_once: push %rbx\n"
        "mov %rsi, %rbx\n"
        "lea 1f(%rip), %rax\n"
        "mov %rax, saved_place(%rip)\n"
        "mov %rsp, saved_stack(%rip)\n"
        "mov %rbx, saved_rbx(%rip)\n"
        "call *%rdi\n"
        "1: mov saved_rbx(%rip), %rbx\n" /* whose it is where a call is left is not said */
        "call *%rbx\n"
        "pop %rbx\n"
        "ret\n"
        ".size call_at_once, . - call_at_once\n"
        ".globl leave_here\n"
        ".type leave_here, @function\n"
        "leave_here: mov saved_stack(%rip), %rsp\n"
        "jmp *saved_place(%rip)\n"
        ".size leave_here, . - leave_here\n"
        ".globl leave_by_tail\n"
        ".type leave_by_tail, @function\n"
        "leave_by_tail: xor %eax, %eax\n"
        "nopw 0(%rax,%rax,1)\n"
        "jmp leave_here\n"
        ".size leave_by_tail, . - leave_by_tail\n"
        ".globl return_here\n"
        ".type return_here, @function\n"
        "return_here: mov $41, %eax\n"
        "inc %eax\n"
        "ret\n"
        ".size return_here, . - return_here\n"
        ".globl return_by_tail\n"
        ".type return_by_tail, @function\n"
        "return_by_tail: xor %eax, %eax\n"
        "nopw 0(%rax,%rax,1)\n"
        "jmp return_here\n"
        ".size return_by_tail, . - return_by_tail\n"
        ".bss\n"
        ".balign 8\n"
        "saved_stack: .zero 8\n"
        "saved_place: .zero 8\n"
        "saved_rbx: .zero 8\n"
        ".text\n");

/* Also of two records at the one slot, and by a call that ends in a tail call there. */
static void at_once(void)
{
    enum {
        ROUNDS = 500
    };

    for (int i = 0; i < ROUNDS; i++) {
        CHECK(call_at_once(leave_here, return_here) == 42);
        CHECK(call_at_once(leave_by_tail, return_here) == 42);
        CHECK(call_at_once(leave_here, return_by_tail) == 42);
        CHECK(call_at_once(leave_by_tail, return_by_tail) == 42);
    }
    printf("truth leave_here abandoned=%d\n", 4 * ROUNDS);
    printf("truth leave_by_tail abandoned=%d\n", 2 * ROUNDS);
    printf("truth return_here success=%d\n", 4 * ROUNDS);
    printf("truth return_by_tail success=%d\n", 2 * ROUNDS);
}

/* The same where the compiler makes the jump: the loop's calls are from one slot. */
__attribute__((noinline)) static void builtin_at_once(int times)
{
    volatile int i = 0;

    if (__builtin_setjmp(buffer) != 0)
        i++;
    if (i < times)
        jump(i);
}

static void builtin(void)
{
    enum {
        ROUNDS = 500
    };

    builtin_at_once(ROUNDS);
    CHECK(work(1) == 2);
    printf("truth jump abandoned=%d\ntruth work success=1\n", ROUNDS);
}

__attribute__((noinline)) static void jump_below(int frames)
{
    volatile char frame[16384];

    frame[0] = (char)frames;
    if (frames > 0) {
        jump_below(frames - 1);
    } else {
        jump_once(1);
        CHECK(work(2) == 3);
    }
    frame[1] = frame[0];
}

/* The first thread's stack has grown since it was first asked for. */
static void deeper(void)
{
    jump_once(0);
    CHECK(work(1) == 2);
    jump_below(100);
    CHECK(work(3) == 4);
    printf("truth work success=3\ntruth jump abandoned=2\ntruth jump_deep abandoned=8\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"all", all}, {"at-once", at_once}, {"builtin-at-once", builtin}, {"deeper", deeper}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
