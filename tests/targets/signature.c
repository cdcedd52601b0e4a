/* Calls with every sort of argument and result that the calling convention knows. Prints what it gets. */
#include "victim.h"

#include <complex.h>
#include <immintrin.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

struct small {
    int a;
    char b;
};
struct mixed {
    double d;
    int64_t i;
};
struct floats {
    float x, y, z, w;
};
struct odd {
    char bytes[13];
};
struct large {
    int64_t values[25];
};
struct huge {
    unsigned char bytes[5000];
};
struct wide {
    long double l;
    int i;
};

TRACKED struct small take_small(struct small s, int n)
{
    TOUCH();
    s.a += n;
    s.b = (char)(s.b + 1);
    return s;
}

TRACKED struct mixed take_mixed(double d, struct mixed m, int i)
{
    TOUCH();
    return (struct mixed){m.d + d, m.i + i};
}

TRACKED struct floats take_floats(struct floats f, float g)
{
    TOUCH();
    return (struct floats){f.w + g, f.z + g, f.y + g, f.x + g};
}

TRACKED struct odd take_odd(struct odd o)
{
    TOUCH();
    o.bytes[12] = o.bytes[0];
    return o;
}

TRACKED struct large take_large(struct large l, int factor, struct large m)
{
    TOUCH();
    for (size_t i = 0; i < 25; i++)
        l.values[i] = l.values[i] * factor + m.values[24 - i];
    return l;
}

TRACKED struct huge take_huge(struct huge h)
{
    TOUCH();
    for (size_t i = 0; i < sizeof(h.bytes); i++)
        h.bytes[i] ^= 0x5a;
    return h;
}

TRACKED struct wide take_wide(struct wide w, long double l)
{
    TOUCH();
    return (struct wide){w.l * l, w.i + 1};
}

TRACKED long double take_long_double(long double a, int i, long double b)
{
    TOUCH();
    return a * b + i;
}

TRACKED float _Complex take_float_complex(float _Complex z)
{
    TOUCH();
    return z * z;
}

TRACKED double _Complex take_complex(double _Complex z, double _Complex w)
{
    TOUCH();
    return z * w;
}

TRACKED long double _Complex take_long_complex(long double _Complex z)
{
    TOUCH();
    return z * z;
}

TRACKED __int128 take_int128(int before, __int128 a, __int128 b, char after)
{
    TOUCH();
    return a * b + before + after;
}

TRACKED int64_t take_many(int a, int b, int c, int d, int e, int f, int g, int64_t h, short i, char j, int64_t k)
{
    TOUCH();
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k;
}

TRACKED double take_many_doubles(double a, double b, double c, double d, double e, double f, double g, double h,
                                 double i, double j)
{
    TOUCH();
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
}

/* kinds: i int, l int64_t, d double, L long double, p pointer. */
TRACKED long double take_variadic(const char *kinds, ...)
{
    long double sum = 0;
    va_list list;

    va_start(list, kinds);
    for (int n = 1; *kinds; kinds++, n++) {
        if (*kinds == 'i')
            sum += n * va_arg(list, int);
        else if (*kinds == 'l')
            sum += n * (long double)va_arg(list, int64_t);
        else if (*kinds == 'd')
            sum += n * va_arg(list, double);
        else if (*kinds == 'L')
            sum += n * va_arg(list, long double);
        else
            sum += n * *va_arg(list, int *);
    }
    va_end(list);
    return sum;
}

TRACKED __attribute__((target("avx"))) __m256d take_avx(__m256d a, int n, __m256d b)
{
    TOUCH();
    return _mm256_add_pd(_mm256_mul_pd(a, b), _mm256_set1_pd(n));
}

TRACKED __attribute__((target("avx512f"))) __m512d take_avx512(__m512d a, int n, __m512d b)
{
    TOUCH();
    return _mm512_add_pd(_mm512_mul_pd(a, b), _mm512_set1_pd(n));
}

TRACKED _Bool take_bool(_Bool b)
{
    TOUCH();
    return !b;
}

TRACKED signed char take_char(signed char c)
{
    TOUCH();
    return (signed char)(c * 2);
}

TRACKED void *take_pointer(void *p)
{
    TOUCH();
    return p;
}

TRACKED int take_callback(int (*call)(int), int value)
{
    TOUCH();
    return call(value) + 1;
}

static void aggregates(void)
{
    static struct huge big;
    struct small s = take_small((struct small){40, 'a'}, 2);
    struct mixed m = take_mixed(0.5, (struct mixed){1.25, INT64_C(1) << 40}, 7);
    struct floats f = take_floats((struct floats){1, 2, 3, 4}, 0.5F);
    struct odd o = take_odd((struct odd){"abcdefghijkl"});
    struct wide w = take_wide((struct wide){1.5L, 3}, 2.5L);
    struct large l = {{0}}, n = {{0}};
    struct huge h;
    unsigned sum = 0;

    printf("small %d %c\n", s.a, s.b);
    printf("mixed %.3f %lld\n", m.d, (long long)m.i);
    printf("floats %.1f %.1f %.1f %.1f\n", (double)f.x, (double)f.y, (double)f.z, (double)f.w);
    printf("odd %.13s\n", o.bytes);
    printf("wide %.3Lf %d\n", w.l, w.i);
    for (int i = 0; i < 25; i++) {
        l.values[i] = i;
        n.values[i] = 100 * i;
    }
    l = take_large(l, 3, n);
    for (size_t i = 0; i < 25; i++)
        printf("%lld ", (long long)l.values[i]);
    for (size_t i = 0; i < sizeof(big.bytes); i++)
        big.bytes[i] = (unsigned char)i;
    h = take_huge(big);
    for (size_t i = 0; i < sizeof(h.bytes); i++)
        sum = sum * 31 + h.bytes[i];
    printf("\nhuge %u\n", sum);
    printf("truth take_small success=1\ntruth take_mixed success=1\ntruth take_floats success=1\n"
           "truth take_odd success=1\ntruth take_wide success=1\ntruth take_large success=1\n"
           "truth take_huge success=1\n");
}

static void scalars(void)
{
    long double _Complex c = take_long_complex(1.5L + 2.5L * I);
    double _Complex d = take_complex(1 + 2 * I, 3 + 4 * I);
    float _Complex e = take_float_complex(1 + 2 * I);
    __int128 i = take_int128(1, (__int128)1 << 70, -3, 'x');

    printf("long double %.5Lf\n", take_long_double(1.25L, 3, 4.5L));
    printf("complex %.3f %.3f  %.3f %.3f  %.3Lf %.3Lf\n", (double)crealf(e), (double)cimagf(e), creal(d), cimag(d),
           creall(c), cimagl(c));
    printf("int128 %llx %llx\n", (unsigned long long)(i >> 64), (unsigned long long)i);
    printf("many %lld\n", (long long)take_many(1, 2, 3, 4, 5, 6, 7, INT64_C(1) << 33, -9, 10, 11));
    printf("doubles %.3f\n", take_many_doubles(1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5));
    printf("bool %d %d\n", take_bool(0), take_bool(1));
    printf("char %d\n", take_char(-50));
    printf("pointer %d\n", take_pointer(&c) == &c);
    printf("truth take_long_complex success=1\ntruth take_complex success=1\ntruth take_float_complex success=1\n"
           "truth take_int128 success=1\ntruth take_long_double success=1\ntruth take_many success=1\n"
           "truth take_many_doubles success=1\ntruth take_bool success=2\ntruth take_char success=1\n"
           "truth take_pointer success=1\n");
}

static void variadic(void)
{
    int pointed = 77;

    printf("40: %.3Lf\n", take_variadic("idlLpidlLpidlLpidlLpidlLpidlLpidlLpidlLp",                             //
                                        1, 2.5, INT64_C(3), 4.5L, &pointed, 6, 7.5, INT64_C(8), 9.5L, &pointed, //
                                        1, 2.5, INT64_C(3), 4.5L, &pointed, 6, 7.5, INT64_C(8), 9.5L, &pointed, //
                                        1, 2.5, INT64_C(3), 4.5L, &pointed, 6, 7.5, INT64_C(8), 9.5L, &pointed, //
                                        1, 2.5, INT64_C(3), 4.5L, &pointed, 6, 7.5, INT64_C(8), 9.5L, &pointed));
    printf("no floats: %.3Lf\n", take_variadic("iiii", 1, 2, 3, 4));
    printf("10 floats: %.3Lf\n", take_variadic("dddddddddd", 1., 2., 3., 4., 5., 6., 7., 8., 9., 10.));
    printf("truth take_variadic success=3\n");
}

static __attribute__((target("avx"))) void avx(void)
{
    double out[4];
    __m256d a = _mm256_set_pd(1, 2, 3, 4);

    _mm256_storeu_pd(out, take_avx(a, 5, _mm256_set_pd(6, 7, 8, 9)));
    printf("avx %.1f %.1f %.1f %.1f\n", out[0], out[1], out[2], out[3]);
    printf("truth take_avx success=1\n");
}

static __attribute__((target("avx512f"))) void avx512(void)
{
    double out[8];
    __m512d a = _mm512_set_pd(1, 2, 3, 4, 5, 6, 7, 8);

    _mm512_storeu_pd(out, take_avx512(a, 5, _mm512_set_pd(6, 7, 8, 9, 10, 11, 12, 13)));
    printf("avx512 %.1f %.1f %.1f %.1f %.1f\n", out[0], out[1], out[2], out[3], out[7]);
    printf("truth take_avx512 success=1\n");
}

static void vectors(void)
{
    if (__builtin_cpu_supports("avx"))
        avx();
    if (__builtin_cpu_supports("avx512f"))
        avx512();
}

#ifndef __clang__
/* GCC's nested functions find the frame around them through r10. */
static void nested(void)
{
    int sum = 0;

    __attribute__((noinline, noclone)) int add(int value)
    {
        TOUCH();
        sum += value;
        return sum;
    }
    for (int i = 0; i < 100; i++)
        CHECK(add(i) == i * (i + 1) / 2);
    printf("nested %d\n", sum);
    /* Its address taken, it is reached through code on the stack. */
    CHECK(take_callback(add, 1) == sum + 1);
    printf("truth add.0 success=101\n");
    printf("truth take_callback success=1\n");
}
#endif

static int comparisons;

TRACKED int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    comparisons++;
    return (x > y) - (x < y);
}

static void callbacks(void)
{
    int values[64];

    for (int i = 0; i < 64; i++)
        values[i] = (i * 37) % 64;
    qsort(values, 64, sizeof(values[0]), compare);
    for (int i = 0; i < 64; i++)
        CHECK(values[i] == i);
    printf("truth compare success=%d\n", comparisons);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"aggregates", aggregates}, {"scalars", scalars}, {"variadic", variadic}, {"vectors", vectors},
#ifndef __clang__
        {"nested", nested},
#endif
        {"callbacks", callbacks},   {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
