/* Compile with -mindirect-branch=thunk -mfunction-return=thunk (gcc) or -mretpoline (clang): indirect jumps and returns
 * then go through small functions of the program that are jumped to, also from the middle of a function. Exits with 0
 * if an interpreter with computed gotos, which leaves data where a return address would be, gets its sum. */
__attribute__((noinline)) static int run(const unsigned char *code, int value)
{
    static const void *const labels[] = {&&add, &&twice, &&down, &&stop};
    volatile int stack[8] = {0};
    int top = 0;

    goto *labels[*code++];
add:
    value += 3;
    stack[top++ & 7] = value;
    goto *labels[*code++];
twice:
    value *= 2;
    goto *labels[*code++];
down:
    value -= stack[--top & 7];
    goto *labels[*code++];
stop:
    return value;
}

static int (*volatile call)(const unsigned char *, int) = run;

int main(void)
{
    static const unsigned char code[] = {0, 1, 0, 1, 2, 3};
    int sum = 0;

    for (int i = 0; i < 1000; i++)
        sum += call(code, i) - run(code, i);
    return sum != 0 || call(code, 1) != 11;
}
