#include "preload/cli/libraries.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbols/common/diag.h"

#define LIBRARIES_LOADER "/lib64/ld-linux-x86-64.so.2" /* by the System V ABI, AMD64 supplement, 5.2.1 */

enum {
    LIBRARIES_DYNAMIC_BYTES_MAX = 65536, /* of a dynamic section; real ones have some hundred */
};

static int libraries_append(struct libraries *libraries, const char *path)
{
    char **grown = reallocarray(libraries->paths, libraries->count + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    libraries->paths = grown;
    grown[libraries->count] = strdup(path);
    if (!grown[libraries->count])
        return -ENOMEM;
    libraries->count++;
    return 0;
}

/* Does this part of the file, its dynamic section, name audit modules? */
static bool libraries_is_audited(int fd, const Elf64_Phdr *segment)
{
    Elf64_Dyn entry;

    for (uint64_t at = 0; at + sizeof(entry) <= segment->p_filesz && at < LIBRARIES_DYNAMIC_BYTES_MAX;
         at += sizeof(entry)) {
        if (pread(fd, &entry, sizeof(entry), (off_t)(segment->p_offset + at)) != (ssize_t)sizeof(entry))
            return false;
        if (entry.d_tag == DT_AUDIT || entry.d_tag == DT_DEPAUDIT)
            return true;
    }
    return false;
}

/* The loader runs audit modules that a program names (DT_AUDIT) when it is only to list the libraries, too. */
static bool libraries_has_audit(const char *elf_path)
{
    int fd = open(elf_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    bool is_audited = false;

    if (fd < 0)
        return false;
    if (pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header)) {
        for (unsigned i = 0; i < header.e_phnum && !is_audited; i++) {
            if (pread(fd, &segment, sizeof(segment), (off_t)(header.e_phoff + i * sizeof(segment))) !=
                (ssize_t)sizeof(segment))
                break;
            is_audited = segment.p_type == PT_DYNAMIC && libraries_is_audited(fd, &segment);
        }
    }
    close(fd);
    return is_audited;
}

/* One line of the loader's: `NAME => PATH (0x...)`, `PATH (0x...)`, or what has no file. */
static int libraries_take_line(struct libraries *libraries, char *line)
{
    static const char arrow[] = " => ";
    char *name = line + strspn(line, " \t");
    char *found = strstr(name, arrow);
    char *path = found ? found + sizeof(arrow) - 1 : name;
    char *end;

    line[strcspn(line, "\n")] = '\0';
    end = strrchr(path, '(');
    if (!end || end == path || end[-1] != ' ' || path[0] != '/')
        return 0; /* linux-vdso.so.1, or a message */
    end[-1] = '\0';
    end = strrchr(path, '/');
    if (strcmp(end + 1, "libcallmeter.so") == 0)
        return 0;
    return libraries_append(libraries, path);
}

/* The environment without what makes the loader do anything else, run audit modules above all. */
static char **libraries_environment(void)
{
    size_t count = 0;
    size_t kept = 0;
    char **environment;

    while (environ[count])
        count++;
    environment = calloc(count + 1, sizeof(*environment));
    for (size_t i = 0; environment && i < count; i++) {
        if (strncmp(environ[i], "LD_", 3) != 0 || strncmp(environ[i], "LD_LIBRARY_PATH=", 16) == 0 ||
            strncmp(environ[i], "LD_PRELOAD=", 11) == 0)
            environment[kept++] = environ[i];
    }
    return environment;
}

static int libraries_spawn(const char *elf_path, int output, pid_t *ret_pid)
{
    /* posix_spawn does not write to the arguments: the casts only serve its prototype */
    char *arguments[] = {(char *)(uintptr_t)LIBRARIES_LOADER, (char *)(uintptr_t) "--list", (char *)(uintptr_t)elf_path,
                         NULL};
    char **environment = libraries_environment();
    posix_spawn_file_actions_t actions;
    int result = ENOMEM;

    if (!environment || posix_spawn_file_actions_init(&actions) != 0) {
        free(environment);
        return -ENOMEM;
    }
    if (posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) == 0 &&
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0)
        result = posix_spawn(ret_pid, LIBRARIES_LOADER, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return -result;
}

static int libraries_read(struct libraries *libraries, int input)
{
    FILE *stream = fdopen(input, "r");
    char *line = NULL;
    size_t bytes = 0;
    int result = 0;

    if (!stream) {
        close(input);
        return -ENOMEM;
    }
    while (result == 0 && getline(&line, &bytes, stream) > 0)
        result = libraries_take_line(libraries, line);
    free(line);
    fclose(stream);
    return result;
}

static int libraries_ask(struct libraries *libraries, const char *elf_path, struct diag *diag)
{
    int pipe_ends[2];
    int status = 0;
    pid_t pid;
    int result;

    if (pipe2(pipe_ends, O_CLOEXEC) < 0) {
        result = -errno;
        diag_set(diag, "pipe: %s", strerror(-result));
        return result;
    }
    result = libraries_spawn(elf_path, pipe_ends[1], &pid);
    close(pipe_ends[1]);
    if (result < 0) {
        diag_set(diag, "%s: %s", LIBRARIES_LOADER, strerror(-result));
        close(pipe_ends[0]);
        return result;
    }
    result = libraries_read(libraries, pipe_ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (result < 0)
        diag_set(diag, "%s", strerror(-result));
    else if (libraries->count == 0 && status != 0)
        diag_set(diag, "%s --list %s failed", LIBRARIES_LOADER, elf_path);
    else
        return 0;
    return result < 0 ? result : -EIO;
}

/* The kernel tells the loader of the file, not of a link to it: `$ORIGIN` is that of the file. */
int libraries_init(struct libraries *libraries, const char *elf_path, struct diag *diag)
{
    char *file = realpath(elf_path, NULL);
    int result;

    memset(libraries, 0, sizeof(*libraries));
    if (libraries_has_audit(file ? file : elf_path)) {
        diag_set(diag, "%s names an audit module (DT_AUDIT), which would run", elf_path);
        result = -ENOTSUP;
    } else {
        result = libraries_ask(libraries, file ? file : elf_path, diag);
    }
    free(file);
    return result;
}

void libraries_finish(struct libraries *libraries)
{
    for (size_t i = 0; i < libraries->count; i++)
        free(libraries->paths[i]);
    free(libraries->paths);
    memset(libraries, 0, sizeof(*libraries));
}
