/* A library whose text ld.so writes to when it relocates it. */
#include "victim.h"

long late_moved(void);
extern long late_place;

__attribute__((visibility("default"))) long late_place = 5;

__asm__(".text\n"
        ".globl late_moved\n"
        ".type late_moved, @function\n"
        "late_moved:\n"
        "mov $0, %eax\n"
        "movabs $late_place, %rax\n"
        "mov (%rax), %rax\n"
        "ret\n"
        ".size late_moved, . - late_moved\n"
        ".globl late_moved_first\n"
        ".type late_moved_first, @function\n"
        "late_moved_first:\n"
        "movabs $late_place, %rax\n"
        "mov (%rax), %rax\n"
        "ret\n"
        ".size late_moved_first, . - late_moved_first\n");
