/* Compile with -fgnu-tm (gcc), and track libitm.so.1 too. _ITM_beginTransaction returns once more for each transaction
 * that is cancelled or tried again, at a time when its first return is long past. Exits with 0 if cancelled
 * transactions left nothing behind. */
static int a;
static int b;

__attribute__((noinline, transaction_safe)) static int deeper(int n)
{
    b += n;
    return n > 0 ? deeper(n - 1) + 1 : 0;
}

__attribute__((noinline)) static int attempt(int n)
{
    int done = 0;

    __transaction_atomic
    {
        a = n;
        __transaction_atomic
        {
            b = deeper(n);
            done = 1;
            if (n & 1)
                __transaction_cancel;
        }
    }
    return done;
}

int main(void)
{
    for (int i = 1; i < 1000; i++) {
        b = 0;
        if (attempt(i % 7) != (i % 7 & 1 ? 0 : 1) || a != i % 7 || b != (i % 7 & 1 ? 0 : i % 7))
            return 1;
    }
    return 0;
}
