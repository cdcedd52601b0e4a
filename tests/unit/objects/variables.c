/* Variables of every binding and size; some have namesakes in another file. */
#include <stdint.h>

#define KEPT __attribute__((used))

KEPT int32_t variables_number = 42;
uint64_t variables_common[4];
const char *variables_pointer = "text";
struct {
    uint64_t in_use;
    uint32_t limit;
} variables_pool = {7, 50};
static KEPT int16_t variables_small = 3;
static KEPT int32_t variables_twice = 1;
static KEPT int32_t variables_hidden = 5;
__thread int32_t variables_thread = 6;

extern int32_t variables_alias __attribute__((alias("variables_number")));

/* Without type and size; in code, where no variable is; and no address at all. */
__asm__(".pushsection .data\n"
        ".globl variables_untyped\n"
        "variables_untyped: .quad 9\n"
        ".popsection\n"
        ".pushsection .text\n"
        ".globl variables_code\n"
        "variables_code: nop\n"
        ".popsection\n"
        ".globl absolute_number\n"
        ".type absolute_number, @object\n"
        ".set absolute_number, 16\n");

__attribute__((noinline, noclone)) int variables_count(void)
{
    static int32_t calls;

    return calls++;
}
