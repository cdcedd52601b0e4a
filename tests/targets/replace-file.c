/* A library that, as soon as it is loaded, puts the file REPLACE_BY in the place of the file REPLACE, as an upgrade of
 * a package does it to programs that are running. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void replace(void)
{
    const char *old = getenv("REPLACE");
    const char *new = getenv("REPLACE_BY");

    if (old && new &&rename(new, old) != 0)
        perror(old);
}
