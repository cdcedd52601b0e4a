/* preload/cli/program.h: which program a name means, and which can be preloaded. The victims are made of this test's
 * own executable, with single bytes changed. */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/cli/cli.h"
#include "preload/cli/program.h"
#include "symbols/common/diag.h"

static char folder[] = "/tmp/test_program.XXXXXX";

static void write_file(const char *name, const void *bytes, size_t length, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void write_script(const char *name, const char *text, mode_t mode)
{
    write_file(name, text, strlen(text), mode);
}

static uint8_t *read_self(size_t *ret_length)
{
    FILE *file = fopen("/proc/self/exe", "rb");
    uint8_t *bytes = malloc(8 << 20);

    assert_non_null(file);
    assert_non_null(bytes);
    *ret_length = fread(bytes, 1, 8 << 20, file);
    fclose(file);
    return bytes;
}

static void write_changed(const char *name, const uint8_t *self, size_t length, size_t offset, uint8_t value)
{
    uint8_t *bytes = malloc(length);

    assert_non_null(bytes);
    memcpy(bytes, self, length);
    bytes[offset] = value;
    write_file(name, bytes, length, 0755);
    free(bytes);
}

/* The program header of the loader's path. */
static const Elf64_Phdr *find_interp(const uint8_t *self)
{
    const Elf64_Ehdr *header = (const void *)self;
    const Elf64_Phdr *segment = (const void *)(self + header->e_phoff);

    while (segment->p_type != PT_INTERP)
        segment++;
    return segment;
}

static void write_elf_files(void)
{
    size_t length;
    uint8_t *self = read_self(&length);
    const Elf64_Phdr *interp = find_interp(self);
    size_t type = (size_t)((const uint8_t *)&interp->p_type - self);
    const char *loader = (const char *)self + interp->p_offset;
    size_t base = interp->p_offset + (size_t)(strrchr(loader, '/') - loader);

    write_file("good", self, length, 0755);
    write_file("plain", self, length, 0644);
    write_file("setuid", self, length, 04755);
    write_file("setgid", self, length, 02755);
    write_file("locking", self, length, 02744); /* without group execution the bit means mandatory locking */
    write_file("short", self, 40, 0755);
    write_file("headless", self, sizeof(Elf64_Ehdr), 0755);
    write_changed("static", self, length, type, PT_NULL);
    write_changed("other-class", self, length, EI_CLASS, ELFCLASS32);
    write_changed("other-machine", self, length, offsetof(Elf64_Ehdr, e_machine), EM_AARCH64);
    write_changed("other-loader", self, length, base + 1, 'x');
    write_changed("no-loader", self, length, base - 1, 'x');
    free(self);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return -1;
    write_elf_files();
    write_script("script", "#!/bin/sh\nexit 0\n", 0755);
    write_script("blanks", "#! \t/bin/sh -e\n", 0755);
    write_script("no-line", "exit 0\n", 0755);
    write_script("by-env", "#!/usr/bin/env sh\n", 0755);
    write_script("by-env-split", "#!/usr/bin/env -S sh -e\n", 0755);
    write_script("by-static", "#!./static\n", 0755);
    write_script("nobody", "#!/nonexistent/interpreter\n", 0755);
    write_script("empty-line", "#!\n", 0755);
    write_script("itself", "#!./itself\n", 0755);
    write_script("nested", "#!./script\n", 0755);
    return mkdir("folder", 0755) || mkdir("late", 0755) || symlink("../good", "late/good-link") ||
           mkdir("early", 0755) || mkdir("early/good-link", 0755);
}

static int tear_down(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return chdir("/") || system(command);
}

static void judges_programs(void **state)
{
    static const struct {
        const char *name;
        int exit_code;
        const char *text; /* a part of the reason, or of the ELF file's path */
    } cases[] = {
        {"./good", 0, "./good"},
        {"./locking", 0, "./locking"},
        {"late/good-link", 0, "late/good-link"},
        {"./script", 0, "/bin/sh"},
        {"./blanks", 0, "/bin/sh"},
        {"./no-line", 0, "/bin/sh"},
        {"./empty-line", 0, "/bin/sh"},
        {"./nested", 0, "/bin/sh"},
        {"./by-env", 0, "bin/sh"},
        {"./by-env-split", 0, "bin/sh"},
        {"sh", 0, "bin/sh"},
        {"./absent", CLI_EXIT_NOT_FOUND, "./absent: not found"},
        {"absent-everywhere", CLI_EXIT_NOT_FOUND, "not found"},
        {"", CLI_EXIT_NOT_FOUND, "not found"},
        {"./good/x", CLI_EXIT_NOT_FOUND, "not found"},
        {"./nobody", CLI_EXIT_NOT_FOUND, "its interpreter /nonexistent/interpreter"},
        {"./no-loader", CLI_EXIT_NOT_FOUND, "is not there"},
        {"./plain", CLI_EXIT_NOT_RUNNABLE, "Permission denied"},
        {"./folder", CLI_EXIT_NOT_RUNNABLE, "Is a directory"},
        {"./itself", CLI_EXIT_NOT_RUNNABLE, "not executable"},
        {"./setuid", CLI_EXIT_UNSUITABLE, "set-user-id"},
        {"./setgid", CLI_EXIT_UNSUITABLE, "set-group-id"},
        {"./static", CLI_EXIT_UNSUITABLE, "statically linked"},
        {"./by-static", CLI_EXIT_UNSUITABLE, "./static cannot be preloaded"},
        {"./short", CLI_EXIT_UNSUITABLE, "damaged"},
        {"./headless", CLI_EXIT_UNSUITABLE, "damaged"},
        {"./other-class", CLI_EXIT_UNSUITABLE, "32-bit"},
        {"./other-machine", CLI_EXIT_UNSUITABLE, "another processor"},
        {"./other-loader", CLI_EXIT_UNSUITABLE, "not glibc's"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct program program;
        struct diag diag = {0};
        int result = program_init(&program, cases[i].name, &diag);
        const char *text = result == 0 ? program.elf_path : diag.text;

        if (result != cases[i].exit_code || !strstr(text, cases[i].text))
            fail_msg("%s: %d, %s", cases[i].name, result, text);
        program_finish(&program);
    }
}

/* What is on PATH but cannot be executed is passed over, and explains the failure only if nothing else is found. */
static void searches_the_path(void **state)
{
    static const struct {
        const char *path; /* NULL: not set */
        const char *name;
        int exit_code;
        const char *found;
    } cases[] = {
        {"late", "good-link", 0, "late/good-link"},
        {"early:late", "good-link", 0, "late/good-link"},
        {"early", "good-link", CLI_EXIT_NOT_RUNNABLE, NULL},
        {"early:nowhere", "good-link", CLI_EXIT_NOT_RUNNABLE, NULL},
        {"nowhere", "good-link", CLI_EXIT_NOT_FOUND, NULL},
        {"nowhere:", "good", 0, "./good"},
        {":nowhere", "good", 0, "./good"},
        {"", "good", 0, "./good"},
        {"good:late", "good-link", 0, "late/good-link"},
        {NULL, "sh", 0, "/bin/sh"},
    };
    char *before = strdup(getenv("PATH"));

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct program program;
        struct diag diag = {0};
        int result;

        if (cases[i].path)
            setenv("PATH", cases[i].path, 1);
        else
            unsetenv("PATH");
        result = program_init(&program, cases[i].name, &diag);
        setenv("PATH", before, 1);
        if (result != cases[i].exit_code || (result == 0 && strcmp(program.path, cases[i].found) != 0))
            fail_msg("case %zu: %d, %s", i, result, result ? diag.text : program.path);
        program_finish(&program);
    }
    free(before);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_programs),
        cmocka_unit_test(searches_the_path),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
