/* A library whose one function is picked when it is loaded, so that it is patched when others may be running it. Its
 * first instruction ends within the jump: behind one byte where its number is odd, else behind three. Built several
 * times, with another number each. */
#define PASTE_NAME(name, number) name##number
#define NAME_OF(name, number)    PASTE_NAME(name, number)
#define NAME                     NAME_OF(live_picked_, NUMBER)

#if NUMBER % 2
#define FIRST "push %rbp\npop %rbp\n"
#else
#define FIRST "mov %rdi, %rax\n"
#endif

int picked(int value);

__asm__(".text\n"
        ".p2align 4\n"
        ".globl picked\n"
        ".hidden picked\n"
        ".type picked, @function\n"
        "picked:\n" FIRST "lea 1(%rdi), %eax\n"
        "ret\n"
        ".size picked, . - picked\n");

static __attribute__((used)) int (*pick(void))(int)
{
    return picked;
}

__attribute__((visibility("default"), ifunc("pick"))) int NAME(int value);
