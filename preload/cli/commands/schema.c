/* `callmeter schema`: the JSON Schema of manifests, as it is shipped. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/cli/cli.h"
#include "preload/cli/locate.h"
#include "preload/cli/say.h"

static bool schema_write(const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t written = write(STDOUT_FILENO, bytes, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

/* Copies a file to standard output. */
static bool schema_copy(int fd)
{
    char bytes[16384];
    ssize_t got;

    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        if (!schema_write(bytes, (size_t)got))
            return false;
    return got == 0;
}

int cli_schema(int argc, char **argv)
{
    char *path;
    int fd;
    bool is_copied;

    if (argc > 1)
        return say_usage("schema", "%s: schema takes no argument", argv[1]);
    path = locate_schema();
    fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    free(path);
    if (fd < 0) {
        say_error("manifest.schema.json is not there: callmeter is not installed whole");
        return CLI_EXIT_BROKEN;
    }
    is_copied = schema_copy(fd);
    if (!is_copied)
        say_error("the schema cannot be copied: %s", strerror(errno));
    (void)close(fd);
    return is_copied ? CLI_EXIT_OK : CLI_EXIT_BROKEN;
}
