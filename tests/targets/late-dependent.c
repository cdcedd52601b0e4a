/* A library that needs another one, which is loaded along with it; late-broken.so is the same with a symbol that nobody
 * has. */
#include "victim.h"

int late_add(int a, int b);
int late_nowhere(void);
int dependent_add(int value);

TRACKED int dependent_add(int value)
{
#ifdef BROKEN
    value += late_nowhere();
#endif
    return late_add(value, 1);
}
