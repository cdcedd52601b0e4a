/* Writes numbers as its locale does, from its first line on. */
#include <locale.h>

#include "victim.h"

double half __attribute__((visibility("default"))) = 0.5;

TRACKED int halve(int value)
{
    TOUCH();
    return value / 2;
}

int main(void)
{
    CHECK(setlocale(LC_ALL, "") != NULL);
    printf("half is %.1f\n", half);
    for (int i = 0; i < 100; i++)
        CHECK(halve(2 * i) == i);
    return victim_finish();
}
