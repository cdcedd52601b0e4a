/* A library with a thread-local variable that is addressed as if it had been there from the start: loading it takes of
 * what little room for such variables the C library keeps. */
__attribute__((tls_model("initial-exec"))) __thread char static_tls_variable[64];

char *static_tls_address(void);
char *static_tls_address(void)
{
    return static_tls_variable;
}
