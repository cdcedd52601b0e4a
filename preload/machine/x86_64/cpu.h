/* What a processor must provide to the data plane: single instructions where C has no word for them, system calls, and
 * going on with another stack. */
#ifndef CALLMETER_PRELOAD_MACHINE_X86_64_CPU_H
#define CALLMETER_PRELOAD_MACHINE_X86_64_CPU_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define CPU_FLAG_DIRECTION 0x400 /* of rflags */
#define CPU_FLAG_ALIGNMENT 0x40000

/* One instruction, so that a signal handler of the same thread sees it done or not begun. No lock: one thread writes.
 */
static inline void cpu_add(uint64_t *word, uint64_t value)
{
    __asm__ volatile("addq %1, %0" : "+m"(*word) : "er"(value) : "cc");
}

static inline void cpu_or(uint64_t *word, uint64_t value)
{
    __asm__ volatile("orq %1, %0" : "+m"(*word) : "er"(value) : "cc");
}

/* A signal's handler has the flag that makes unaligned accesses fault as the program had it; compilers know nothing of
 * it. */
static inline void cpu_allow_unaligned(void)
{
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
                     "pushfq\n\t"
                     "andl %0, (%%rsp)\n\t"
                     "popfq\n\t"
                     "leaq 128(%%rsp), %%rsp"
                     :
                     : "i"(~CPU_FLAG_ALIGNMENT)
                     : "memory", "cc");
}

/* In a loop that waits for another processor. */
static inline void cpu_pause(void)
{
    __asm__ volatile("pause");
}

static inline uint64_t cpu_ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline uintptr_t cpu_thread_pointer(void)
{
    uintptr_t pointer;

    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

/* True if the processor is one of QEMU's translator: of a whole machine, or of a program alone. */
static inline bool cpu_is_translated(void)
{
    uint32_t leaf = 0x40000000; /* of hypervisors: "TCGTCGTCGTCG" */
    uint32_t name[3];

    __asm__("cpuid" : "+a"(leaf), "=b"(name[0]), "=c"(name[1]), "=d"(name[2]) : "2"(0));
    return name[0] == 0x54474354 && name[1] == 0x43544743 && name[2] == 0x47435447;
}

/* What floating-point code changes beside its results: the flags of exceptions, which stay until they are cleared. */
struct cpu_float_state {
    uint32_t x87[7]; /* the image that fnstenv writes */
    uint32_t mxcsr;
};

/* fnstenv masks all exceptions, which the fldenv behind it takes back. */
static inline void cpu_float_save(struct cpu_float_state *ret_state)
{
    __asm__ volatile("fnstenv %0\n\tfldenv %0\n\tstmxcsr %1" : "=m"(ret_state->x87), "=m"(ret_state->mxcsr));
}

static inline void cpu_float_restore(const struct cpu_float_state *state)
{
    __asm__ volatile("fldenv %0\n\tldmxcsr %1" : : "m"(state->x87), "m"(state->mxcsr));
}

/* Where the caller is: what unwinding needs of its registers. */
static inline __attribute__((always_inline)) void cpu_here(ucontext_t *ret_context)
{
    greg_t *registers = ret_context->uc_mcontext.gregs;

    __asm__ volatile("leaq 0(%%rip), %%rax\n\t"
                     "movq %%rax, %c1(%0)\n\t"
                     "movq %%rsp, %c2(%0)\n\t"
                     "movq %%rbp, %c3(%0)\n\t"
                     "movq %%rbx, %c4(%0)\n\t"
                     "movq %%r12, %c5(%0)\n\t"
                     "movq %%r13, %c6(%0)\n\t"
                     "movq %%r14, %c7(%0)\n\t"
                     "movq %%r15, %c8(%0)"
                     :
                     : "D"(registers), "i"(REG_RIP * 8), "i"(REG_RSP * 8), "i"(REG_RBP * 8), "i"(REG_RBX * 8),
                       "i"(REG_R12 * 8), "i"(REG_R13 * 8), "i"(REG_R14 * 8), "i"(REG_R15 * 8)
                     : "rax", "memory");
}

/* System calls without libc, errno untouched: the result is -errno on failure. */
static inline long cpu_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

/* Of the calling process and thread, asked anew each time: a child of fork has its parent's memory. */
static inline int cpu_own_pid(void)
{
    return (int)cpu_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline int cpu_own_tid(void)
{
    return (int)cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* Both in one word, to tell who holds a lock. */
static inline uint64_t cpu_own_id(void)
{
    return (uint64_t)cpu_own_pid() << 32 | (uint32_t)cpu_own_tid();
}

/* Can the 8 bytes at an address be read? 0: yes; -EFAULT: no; else what the kernel says to the question. It copies the
 * new mask before it refuses to do -1 with it (rt_sigprocmask(2)): a system call that every sandbox allows. */
static inline long cpu_probe(uintptr_t address)
{
    long result = cpu_syscall(SYS_rt_sigprocmask, -1, (long)address, 0, sizeof(uint64_t), 0, 0);

    if (result == -EINVAL)
        return 0;
    return result == 0 ? -EFAULT : result; /* address 0 is no mask at all */
}

static inline bool cpu_is_readable(uintptr_t address)
{
    return cpu_probe(address) == 0;
}

/* Calls function(context) on another stack, which ends below `top` (a multiple of 16). Context: signal. */
void cpu_call_on_stack(void (*function)(void *), void *context, void *top);

/* Copies a signal's frame, as the kernel made it on an alternate stack, to where it would have made it at `sp` without
 * one. Returns how far all in it has moved, modulo 2^64; 0: there is no room. Context: signal. */
uintptr_t cpu_move_signal_frame(const ucontext_t *context, uintptr_t sp);

/* Calls handler(signal, info, context) as the kernel does, in the frame that `context` is part of. Does not return.
 * Context: signal. */
void cpu_resume_handler(int signal, uintptr_t info, uintptr_t context, uintptr_t handler) __attribute__((noreturn));

#endif
