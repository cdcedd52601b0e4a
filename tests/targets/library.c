#include "library.h"

#include "victim.h"

#include <errno.h>

TRACKED int library_apply(int (*callback)(int), int value)
{
    int result = callback(value);

    TOUCH();
    return result;
}

TRACKED long library_sum(int (*callback)(int), int count)
{
    long sum = 0;

    for (int i = 0; i < count; i++)
        sum += library_apply(callback, i);
    return sum;
}

TRACKED int library_read(int value)
{
    TOUCH();
    if (value % 3 == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (value % 5 == 0) {
        errno = EIO;
        return -1;
    }
    return value;
}
