/* Calls out of the process, which fail for reasons that the kernel gives. */
#include "samples.h"
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
    ROUNDS = 400
};

static int empty_pipe;

/* Reads from somewhere: a file, a pipe with nothing in it, no descriptor at all, a folder. */
TRACKED ssize_t fetch(int attempt)
{
    static const char *const paths[] = {"/dev/zero", "/dev/null/nothing", "/"};
    char bytes[8];
    ssize_t length;
    int file, saved;

    if (attempt % 5 == 0)
        return read(empty_pipe, bytes, sizeof(bytes));
    if (attempt % 5 == 1)
        return read(-1, bytes, sizeof(bytes));
    file = open(paths[attempt % 5 - 2], O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    length = read(file, bytes, sizeof(bytes));
    saved = errno;
    close(file);
    errno = saved;
    return length;
}

int main(void)
{
    const char *labels = "function=\"fetch\",kind=\"dependency\",dependency=\"disk\",operation=\"fetch\"";
    struct outcomes counts = {0};
    unsigned bad_descriptor = 0, no_folder = 0, folder = 0;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        abort();
    empty_pipe = ends[0];
    for (int i = 0; i < ROUNDS; i++) {
        ssize_t result = fetch(i);

        counts.success += result >= 0;
        counts.throttled += result < 0 && errno == EAGAIN;
        counts.error += result < 0 && errno != EAGAIN;
        bad_descriptor += result < 0 && errno == EBADF;
        no_folder += result < 0 && errno == ENOTDIR;
        folder += result < 0 && errno == EISDIR;
    }
    CHECK(counts.error == bad_descriptor + no_folder + folder);
    say_outcomes(labels, &counts);
    say_sample("call_errors_total", "function=\"fetch\",dependency=\"disk\",error_type=\"EBADF\"", bad_descriptor);
    say_sample("call_errors_total", "function=\"fetch\",dependency=\"disk\",error_type=\"ENOTDIR\"", no_folder);
    say_sample("call_errors_total", "function=\"fetch\",dependency=\"disk\",error_type=\"EISDIR\"", folder);
    printf("series call_errors_total{function=\"fetch\"} 3\n");
    return victim_finish();
}
