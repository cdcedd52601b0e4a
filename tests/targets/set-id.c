/* Says whether it runs with rights that are not its caller's, what of callmeter is in it, and how many threads it has.
 */
#include "victim.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>

static volatile int worked;

TRACKED int work(int value)
{
    worked++;
    return value + 1;
}

static int count_maps(const char *name)
{
    char line[4096];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps && fgets(line, sizeof(line), maps))
        count += strstr(line, name) != NULL;
    if (maps)
        fclose(maps);
    return count;
}

static int count_entries(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count - 2;
}

int main(void)
{
    for (int i = 0; i < 10; i++)
        CHECK(work(i) == i + 1);
    printf("secure: %d\n", getauxval(AT_SECURE) != 0);
    printf("preloaded: %d\n", count_maps("/libcallmeter.so") > 0);
    printf("modules: %d\n", count_maps("/callmeter/control.so") > 0);
    printf("patched: %d\n", *(const uint8_t *)(uintptr_t)work == 0xe9);
    printf("threads: %d\n", count_entries("/proc/self/task"));
    printf("descriptors: %d\n", count_entries("/proc/self/fd"));
    return victim_failures;
}
