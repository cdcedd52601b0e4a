/* Preloaded: puts another instruction before the `ret` of the function by which ld.so tells debuggers of libraries, as
 * a debugger does that stops there. */
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    NOP = 0x90,
    RET = 0xc3,
};

__attribute__((constructor)) static void change(void)
{
    unsigned char *function = (unsigned char *)_r_debug.r_brk;
    unsigned char *page = (unsigned char *)((uintptr_t)function & ~(uintptr_t)(PAGE - 1));

    if (mprotect(page, (size_t)2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        _exit(1);
    function[1] = RET;
    function[0] = NOP;
    mprotect(page, (size_t)2 * PAGE, PROT_READ | PROT_EXEC);
}
