/* A library that programs load while they run. Its constructor and destructor call tracked functions. */
#include "victim.h"

#include <errno.h>
#include <string.h>

int late_add(int a, int b);
int late_read(int value);
int late_named(const char *name);
int late_at_start(void);
int late_at_end(void);
int late_picked(int value);
int late_call(void (*callback)(void));
int late_crash(volatile int *place);
int late_recover(volatile int *place);

TRACKED int late_add(int a, int b)
{
    TOUCH();
    return a + b;
}

TRACKED int late_read(int value)
{
    TOUCH();
    if (value % 3 != 0)
        return value;
    errno = EAGAIN;
    return -1;
}

TRACKED int late_named(const char *name)
{
    TOUCH();
    return (int)strlen(name);
}

TRACKED int late_at_start(void)
{
    TOUCH();
    return 1;
}

TRACKED int late_at_end(void)
{
    TOUCH();
    return 1;
}

TRACKED int late_call(void (*callback)(void))
{
    callback();
    TOUCH();
    return 1;
}

TRACKED int late_crash(volatile int *place)
{
    *place = 1;
    return *place;
}

TRACKED int late_recover(volatile int *place)
{
    *place = 2;
    return *place;
}

static int picked(int value)
{
    TOUCH();
    return value + 1;
}

/* Goes by way of the library's own data: asked before that is relocated, it crashes. */
static const char *const volatile pick_from[] = {"picked"};

static int (*pick(void))(int)
{
    return *pick_from[0] == 'p' ? picked : NULL;
}

__attribute__((visibility("default"), ifunc("pick"))) int late_picked(int value);

__attribute__((constructor)) static void begin(void)
{
    late_at_start();
}

__attribute__((destructor)) static void end(void)
{
    late_at_end();
}
