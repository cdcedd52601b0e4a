/* Compile with -mabi=ms -mcall-ms2sysv-xlogues, gcc alone: prologues and epilogues then call helpers of libgcc
 * (__avx_savms64_13 and its like) that save and restore their caller's registers, rbx among them, and which are symbols
 * of the program. Exits with 0 if all callee-saved registers survive, also with every function of the program tracked.
 */
__attribute__((noinline, sysv_abi)) static long system_v(long value)
{
    __asm__ volatile("" : "+r"(value) : : "rdi", "rsi", "xmm6", "xmm7", "xmm8", "xmm15", "memory");
    return value + 1;
}

static long (*volatile call)(long) __attribute__((sysv_abi)) = system_v;

/* Needs rbx and the others of its own, over a call by the other convention. */
__attribute__((noinline)) static long microsoft(long a, long b, long c, long d)
{
    long sum = a;

    for (long i = 0; i < 4; i++)
        sum += call(a * i) + call(b) * call(c) - call(d);
    return sum;
}

__attribute__((noinline)) static long twice(long a)
{
    long first = microsoft(a, a + 1, a + 2, a + 3);
    long second = microsoft(a, a + 1, a + 2, a + 3);

    return first == second ? first + a : -1;
}

int main(void)
{
    return twice(3) == 3 + 3 + 6 * 3 + 4 + 4 * (5 * 6 - 7) ? 0 : 1;
}
