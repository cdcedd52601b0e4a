/* Keeps its only pointer to a block of a conservative garbage collector in rbx across a tracked call: the trampoline
 * must leave it where the collector looks. Exits with 0 if no block was lost. */
#include <gc.h>

struct block {
    struct block *next;
    long value;
};

struct block *block_make(struct block *next, long value);
void churn(long rounds);
long holder(void);

__attribute__((noinline)) struct block *block_make(struct block *next, long value)
{
    struct block *block = GC_malloc(sizeof(*block));

    block->next = next;
    block->value = value;
    return block;
}

__attribute__((noinline)) void churn(long rounds)
{
    for (long i = 0; i < rounds; i++)
        block_make(NULL, i);
}

__asm__(".text\n"
        ".globl holder\n"
        ".type holder, @function\n"
        "holder: push %rbx\n"
        "xor %edi, %edi\n"
        "mov $4242, %esi\n"
        "call block_make\n"
        "mov %rax, %rbx\n"
        "mov $200000, %edi\n"
        "call churn\n"
        "mov 8(%rbx), %rax\n"
        "pop %rbx\n"
        "ret\n"
        ".size holder, . - holder\n");

int main(void)
{
    GC_init();
    for (int i = 0; i < 20; i++)
        if (holder() != 4242)
            return 1;
    return 0;
}
