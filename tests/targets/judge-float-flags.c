/* Floating-point exceptions are sticky flags, and they are clear when main begins. Whoever ran before main, such as a
 * preloaded constructor, must leave them so. Exits with 0 if they are clear, also after tracked calls and in a child.
 */
#include <fenv.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) int raised_flags(int mask)
{
    return fetestexcept(mask);
}

int main(void)
{
    int status = 0;
    int raised = raised_flags(FE_ALL_EXCEPT);
    pid_t child = fork();

    if (child == 0)
        _exit(raised_flags(FE_ALL_EXCEPT));
    if (waitpid(child, &status, 0) != child)
        return 1;
    return raised != 0 || raised_flags(FE_ALL_EXCEPT) != 0 || status != 0;
}
