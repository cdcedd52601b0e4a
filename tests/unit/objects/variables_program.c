/* A program that has a copy of a library's variable, and a static one with the name of another. */
#include <stdint.h>
#include <stdio.h>

extern int32_t variables_number;
extern uint64_t variables_common[4];
static __attribute__((used)) uint64_t variables_pool = 1;

int main(void)
{
    printf("%d %d\n", (int)variables_number, (int)variables_common[0]);
    return 0;
}
