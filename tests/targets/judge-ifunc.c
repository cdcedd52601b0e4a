/* An IFUNC whose resolver counts its calls and answers differently each time. Exits with 0 if it ran once, and all
 * calls reached the code that it picked then. */
static int resolved;
static int first_calls;
static int second_calls;

static int first(int value)
{
    first_calls++;
    return value + 1;
}

static int second(int value)
{
    second_calls++;
    return value + 2;
}

__attribute__((used)) static int (*pick(void))(int)
{
    return resolved++ % 2 ? second : first;
}

int picked(int value) __attribute__((ifunc("pick")));

int main(void)
{
    for (int i = 0; i < 10; i++)
        if (picked(i) != i + 1)
            return 1;
    return resolved != 1 || first_calls != 10 || second_calls != 0;
}
