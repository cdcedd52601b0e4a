/* As judge-collector.c, with the collector of D: exits with 0 if no object was lost. */
module judge_collector;

import core.memory;

class Node
{
    int value;
    this(int value) { this.value = value; }
    ~this() { value = -1; }
}

pragma(inline, false) void churn(int rounds)
{
    foreach (i; 0 .. rounds)
        new Node(-2);
}

/* Leaves nothing of what was on the stack below. */
pragma(inline, false) void scrub(int rounds)
{
    ulong[64] words = rounds;
    asm { "" : : "r" (words.ptr) : "memory"; }
    if (rounds)
        scrub(rounds - 1);
}

pragma(inline, false) void collect(int rounds)
{
    scrub(20);
    GC.collect();
    churn(rounds);
}

/* Uses all registers that a callee preserves but what the trampoline takes. */
pragma(inline, false) void between(int rounds)
{
    ulong a, b, c, d, e, f;
    asm { "" : "=r" (a), "=r" (b), "=r" (c), "=r" (d), "=r" (e), "=r" (f); }
    collect(rounds);
    asm { "" : : "r" (a), "r" (b), "r" (c), "r" (d), "r" (e), "r" (f); }
}

pragma(inline, false) int keep(int value)
{
    auto node = new Node(value);
    asm { "" : "+b" (node); }
    between(100);
    asm { "" : "+b" (node); }
    return node.value;
}

int main()
{
    foreach (i; 0 .. 20)
        if (keep(i) != i)
            return 1;
    return 0;
}
