#include "preload/cli/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "preload/cli/cli.h"
#include "symbols/common/diag.h"

enum {
    PROGRAM_SCRIPT_DEPTH = 5, /* as the kernel follows them (fs/exec.c) */
    PROGRAM_HEAD_BYTES = 256, /* of a script's first line (BINPRM_BUF_SIZE) */
};

/* 0 if the file can be executed, else errno. */
static int program_access(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return errno;
    if (!S_ISREG(status.st_mode))
        return S_ISDIR(status.st_mode) ? EISDIR : EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

/* One element of PATH, an empty one being the working directory; NULL if out of memory. */
static char *program_join(const char *folder, size_t length, const char *name)
{
    char *path;

    if (asprintf(&path, "%.*s%s%s", (int)length, folder, length ? "/" : "./", name) < 0)
        return NULL;
    return path;
}

/* Searches PATH as execvp(3) does: what may not be executed is passed over, but remembered. *ret_error is 0, or the
 * errno that execvp would leave. */
static char *program_search(const char *name, int *ret_error)
{
    const char *folders = getenv("PATH");
    int error = ENOENT;

    if (strchr(name, '/')) {
        *ret_error = program_access(name);
        return strdup(name);
    }
    if (!folders)
        folders = "/bin:/usr/bin";
    for (const char *folder = folders; *name; folder++) {
        size_t length = strcspn(folder, ":");
        char *path = program_join(folder, length, name);
        int result = path ? program_access(path) : ENOMEM;

        if (result == 0 || result == ENOMEM) {
            *ret_error = result;
            return path;
        }
        free(path);
        if (result != ENOENT && result != ENOTDIR)
            error = result;
        folder += length;
        if (*folder == '\0')
            break;
    }
    *ret_error = error;
    return strdup(name);
}

static int program_exit_of_errno(int error)
{
    return error == ENOENT || error == ENOTDIR ? CLI_EXIT_NOT_FOUND : CLI_EXIT_NOT_RUNNABLE;
}

static int program_refuse_errno(const char *path, int error, struct diag *diag)
{
    if (error == ENOENT || error == ENOTDIR)
        diag_set(diag, "%s: not found", path);
    else
        diag_set(diag, "%s: not executable: %s", path, strerror(error));
    return program_exit_of_errno(error);
}

/* Reads at an offset, all or nothing. */
static bool program_read(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    return offset <= INT64_MAX && pread(fd, buffer, bytes, (off_t)offset) == (ssize_t)bytes;
}

/* The loader that an ELF file asks for; "" if none. Returns false if the file is damaged. */
static bool program_read_loader(int fd, const Elf64_Ehdr *header, char *loader, size_t loader_bytes)
{
    loader[0] = '\0';
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;

        if (header->e_phentsize != sizeof(segment) ||
            !program_read(fd, &segment, sizeof(segment), header->e_phoff + i * sizeof(segment)))
            return false;
        if (segment.p_type != PT_INTERP)
            continue;
        if (segment.p_filesz == 0 || segment.p_filesz > loader_bytes ||
            !program_read(fd, loader, segment.p_filesz, segment.p_offset))
            return false;
        loader[segment.p_filesz - 1] = '\0';
        return true;
    }
    return true;
}

/* The reason why glibc's loader would ignore LD_PRELOAD for a file with such rights, or NULL. What the kernel would
 * make of them for this very user is left aside: nobody can count on it. */
static const char *program_refuse_rights(int fd, const struct stat *status)
{
    if (status->st_mode & S_ISUID)
        return "it is set-user-id, and the system takes LD_PRELOAD from such programs";
    if ((status->st_mode & S_ISGID) && (status->st_mode & S_IXGRP))
        return "it is set-group-id, and the system takes LD_PRELOAD from such programs";
    if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        return "it has file capabilities, and the system takes LD_PRELOAD from such programs";
    return NULL;
}

static const char *program_refuse_header(const Elf64_Ehdr *header)
{
    if (header->e_ident[EI_CLASS] != ELFCLASS64)
        return "it is a 32-bit program; callmeter is for x86-64";
    if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64)
        return "it is a program for another processor; callmeter is for x86-64";
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return "it is an ELF file, but not a program";
    return NULL;
}

static const char *program_refuse_loader(const char *loader)
{
    const char *base = strrchr(loader, '/');

    base = base ? base + 1 : loader;
    if (!*loader)
        return "it is statically linked, so nothing can be preloaded";
    if (strncmp(base, "ld-musl", 7) == 0)
        return "it is built for musl libc; callmeter is for glibc";
    if (strncmp(base, "ld-linux-x32", 12) == 0)
        return "it is an x32 program; callmeter is for x86-64";
    if (strncmp(base, "ld-linux", 8) != 0 && strncmp(base, "ld-2.", 5) != 0 && strncmp(base, "ld.so", 5) != 0)
        return "it asks for a loader that is not glibc's";
    return NULL;
}

static int program_check_elf(const char *path, int fd, struct diag *diag)
{
    Elf64_Ehdr header = {0};
    struct stat status;
    char loader[PATH_MAX];
    const char *reason;
    bool is_whole;

    is_whole = program_read(fd, &header, sizeof(header), 0);
    reason = header.e_ident[EI_CLASS] || is_whole ? program_refuse_header(&header) : NULL;
    if (!reason && (!is_whole || fstat(fd, &status) < 0 || !program_read_loader(fd, &header, loader, sizeof(loader))))
        reason = "it is a damaged ELF file";
    if (!reason)
        reason = program_refuse_loader(loader);
    if (!reason)
        reason = program_refuse_rights(fd, &status);
    if (reason) {
        diag_set(diag, "%s cannot be preloaded: %s", path, reason);
        return CLI_EXIT_UNSUITABLE;
    }
    if (access(loader, F_OK) < 0) {
        diag_set(diag, "%s: its loader %s is not there", path, loader);
        return CLI_EXIT_NOT_FOUND;
    }
    return 0;
}

/* Follows `env NAME`, the usual way to find an interpreter on PATH; `words` is what stands behind the env program. */
static char *program_after_env(const char *words)
{
    char name[PROGRAM_HEAD_BYTES];
    int error;

    if (sscanf(words, " -S %255s", name) != 1 && sscanf(words, " %255s", name) != 1)
        return NULL;
    if (name[0] == '-' || strchr(name, '='))
        return NULL;
    return program_search(name, &error);
}

/* What runs a file that is none of the kernel's formats, as execvp(3) has it. */
static char *program_shell(void)
{
    return strdup("/bin/sh");
}

/* The interpreter that a script's first line names, or the shell; NULL: out of memory. `line` is cut into pieces. */
static char *program_interpreter(char *line)
{
    char *start = line + 2 + strspn(line + 2, " \t");
    char *end = start + strcspn(start, " \t\n");
    char *rest = *end == '\0' || *end == '\n' ? end : end + 1;
    const char *base;

    rest[strcspn(rest, "\n")] = '\0';
    *end = '\0';
    if (!*start)
        return program_shell();
    base = strrchr(start, '/');
    if (strcmp(base ? base + 1 : start, "env") == 0) {
        char *found = program_after_env(rest);

        if (found)
            return found;
    }
    return strdup(start);
}

/* Looks at one file: an ELF program (0, or an exit code), or a script, whose interpreter is then in *ret_next. */
static int program_look(const char *path, char **ret_next, struct diag *diag)
{
    char head[PROGRAM_HEAD_BYTES + 1] = {0};
    int result = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t length;

    *ret_next = NULL;
    if (fd < 0)
        return errno == EACCES ? 0 : program_refuse_errno(path, errno, diag); /* executable, but not readable */
    length = read(fd, head, PROGRAM_HEAD_BYTES);
    if (length >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0) {
        result = program_check_elf(path, fd, diag);
    } else {
        *ret_next = length >= 2 && memcmp(head, "#!", 2) == 0 ? program_interpreter(head) : program_shell();
        if (!*ret_next) {
            diag_set(diag, "%s: %s", path, strerror(ENOMEM));
            result = CLI_EXIT_BROKEN;
        }
    }
    close(fd);
    return result;
}

/* Follows scripts to the program that runs them. */
static int program_follow(struct program *program, struct diag *diag)
{
    program->elf_path = strdup(program->path);
    for (int depth = 0; program->elf_path && depth <= PROGRAM_SCRIPT_DEPTH; depth++) {
        char *next;
        int result = program_look(program->elf_path, &next, diag);
        int error;

        if (result != 0 || !next)
            return result;
        error = program_access(next);
        if (error) {
            diag_set(diag, "%s: its interpreter %s: %s", program->elf_path, next, strerror(error));
            free(next);
            return program_exit_of_errno(error);
        }
        free(program->elf_path);
        program->elf_path = next;
    }
    diag_set(diag, "%s: not executable: %s", program->path, strerror(program->elf_path ? ELOOP : ENOMEM));
    return program->elf_path ? CLI_EXIT_NOT_RUNNABLE : CLI_EXIT_BROKEN;
}

int program_init(struct program *program, const char *name, struct diag *diag)
{
    int error = 0;

    memset(program, 0, sizeof(*program));
    program->path = program_search(name, &error);
    if (!program->path) {
        diag_set(diag, "%s: %s", name, strerror(ENOMEM));
        return CLI_EXIT_BROKEN;
    }
    if (error)
        return program_refuse_errno(name, error, diag);
    return program_follow(program, diag);
}

void program_finish(struct program *program)
{
    free(program->path);
    free(program->elf_path);
    memset(program, 0, sizeof(*program));
}
