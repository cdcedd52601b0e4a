/* See params.h. */
#include "params.h"

/* noinline, and exported: the whole function stays as it is. */
#define KEPT __attribute__((noinline, visibility("default")))

static volatile long sink;

KEPT int ints(int a, unsigned b, short c, unsigned char d, bool e, int64_t f, uint64_t g, int8_t h, long i)
{
    sink = a + (long)b + c + d + e + f + (long)g + h + i;
    return 0;
}

KEPT int doubles(double a, float b, double c, double d, double e, double f, double g, double h, double i, int j,
                 float k)
{
    sink = (long)(a + b + c + d + e + f + g + h + i + j + k);
    return 0;
}

KEPT int strings(const char *table, params_text const name, char *restrict other, const void *blob,
                 const unsigned char *bytes)
{
    sink = table[0] + name[0] + other[0] + (blob != 0) + bytes[0];
    return 0;
}

/* Has copies in its callers. */
static inline __attribute__((always_inline)) int step(struct request *request, int by)
{
    request->id += (unsigned)by;
    sink += by;
    return request->method_len;
}

KEPT int requests(struct request *request, const struct request *const *pointers, enum color color)
{
    sink = pointers[0]->id + color;
    return step(request, 1) + step(request->next, 2);
}

/* An external function of which the other file has an inlined copy: they only have the name in common. */
int shared(int value)
{
    sink += value;
    return (int)sink - value;
}

static int often(int value)
{
    sink += value;
    return (int)sink + value;
}

static int (*volatile pointer)(int) = often;

KEPT int calls_often(int value)
{
    return often(value) + often(value + 1) + often(value + 2) + pointer(value);
}

KEPT struct triple returns_triple(int a, double b)
{
    return (struct triple){a, (long)b, sink};
}
KEPT struct pair returns_pair(int a, double b)
{
    return (struct pair){a, (long)b};
}
KEPT long double returns_x87(int a)
{
    return a;
}
KEPT struct x87 returns_struct_x87(int a)
{
    return (struct x87){a};
}
KEPT union long_or returns_union_x87(int a)
{
    return (union long_or){.integer = a};
}
KEPT _Complex long double returns_complex_x87(int a)
{
    return a;
}
KEPT _Complex double returns_complex(int a)
{
    return a;
}
KEPT int pairs(int a, struct pair p, int b, struct pair q, struct pair r, int c)
{
    sink = a + p.first + p.second + b + q.first + q.second + r.first + r.second + c;
    return 0;
}
KEPT int mixes(struct mixed m, int a, struct floats f, double b)
{
    sink = (long)(m.number + m.ratio + m.weight + a + f.x + f.y + f.z + b);
    return 0;
}
KEPT int triples(int a, struct triple t, int b, double c)
{
    sink = (long)(a + t.a + t.b + t.c + b + c);
    return 0;
}
KEPT int packs(struct packed p, int a)
{
    sink = p.c + p.value + a;
    return 0;
}
KEPT int bitses(struct bits b, int a)
{
    sink = (long)(b.low + b.high + b.ratio + (float)a);
    return 0;
}
KEPT int wides(__int128 w, int a, __int128 x, __int128 y, int b)
{
    sink = (long)(w + a + x + y + b);
    return 0;
}
KEPT int struct_wides(struct wide w, int a)
{
    sink = (long)w.value + a;
    return 0;
}
KEPT int x87s(int a, long double x, double b, struct x87 y, int c, int d, int e, int f, int g, int h)
{
    sink = (long)(a + x + b + y.value + c + d + e + f + g + h);
    return 0;
}
KEPT int aligneds(long a, long b, long c, long d, long e, long f, long g, struct aligned h, long i)
{
    sink = a + b + c + d + e + f + g + h.value + i;
    return 0;
}
KEPT int empties(struct empty a, int b, struct empty c, int d)
{
    (void)a;
    (void)c;
    sink = b + d;
    return 0;
}
KEPT int vectors(vector4 v, struct holder h, double a)
{
    sink = (long)(v[0] + h.vector[1] + (float)a);
    return 0;
}
KEPT int eithers(union either e, int a)
{
    sink = e.integer + a;
    return 0;
}
KEPT int complexes(_Complex double c, _Complex float d, double e, _Complex long double f, int g, int h, int i, int j,
                   int k, int l, int m)
{
    sink = (long)(__real__ c + __real__ d + e + __real__ f + g + h + i + j + k + l + m);
    return 0;
}
KEPT int packed_field(struct packed *p)
{
    sink = p->value;
    return 0;
}
KEPT int variadic(const char *format, int count, ...)
{
    sink = format[0] + count;
    return 0;
}
KEPT int pushed(int a, int b, int c, int d, int e, int f, double g, int h, struct triple t, double i[], int (*j)(int))
{
    sink = a + b + c + d + e + f + (long)g + h + t.a + t.b + t.c + (long)i[0] + j(1);
    return 0;
}
KEPT int opaques(struct opaque *o, struct unexplained *u)
{
    sink = (o != 0) + (u != 0);
    return 0;
}
KEPT int arrays(struct arrayed v, int a, double b)
{
    sink = (long)(v.xy[1] + (float)v.numbers[1] + (float)a + (float)b);
    return 0;
}
KEPT int nameds(struct named n, int a)
{
    sink = n.name[0] + n.id + a;
    return 0;
}
KEPT int lanes(union vector_first v, double a, union lanes_first w, double b)
{
    sink = (long)(v.vector[0] + w.vector[1] + (float)a + (float)b);
    return 0;
}
KEPT int fours(union four_first v, double a)
{
    sink = (long)(v.vector[0] + (float)a);
    return 0;
}
KEPT int huges(long a, long b, long c, long d, long e, long f, struct huge h, long i)
{
    sink = a + b + c + d + e + f + h.words[1] + i;
    return 0;
}
KEPT int open_endeds(struct open_ended *o, int a)
{
    sink = o->count + o->text[0] + a;
    return 0;
}
KEPT int wide_vectors(vector8 v, int a)
{
    sink = (long)v[0] + a;
    return 0;
}
KEPT int long_names(int the_first_parameter_with_a_very_long_name, int the_second_parameter_with_a_very_long_name,
                    int the_third_parameter_with_a_very_long_name, int the_fourth_parameter_with_a_very_long_name,
                    int the_fifth_parameter_with_a_very_long_name)
{
    sink = the_first_parameter_with_a_very_long_name + the_second_parameter_with_a_very_long_name +
           the_third_parameter_with_a_very_long_name + the_fourth_parameter_with_a_very_long_name +
           the_fifth_parameter_with_a_very_long_name;
    return 0;
}
KEPT int packs_more(struct packed_more p, int a)
{
    sink = p.c + p.value + p.d + a;
    return 0;
}
KEPT int tails(long a, long b, long c, long d, long e, long f, long g, struct tail t, long i)
{
    sink = a + b + c + d + e + f + g + t.value + t.low + i;
    return 0;
}
KEPT int odd_wides(long a, long b, long c, long d, long e, long f, long g, __int128 w, long i)
{
    sink = a + b + c + d + e + f + g + (long)w + i;
    return 0;
}
KEPT int quads(__float128 q, double a)
{
    sink = (long)a;
    (void)q;
    return 0;
}
#ifndef __clang__
KEPT int decimals(_Decimal128 d, _Decimal64 e, double a)
{
    sink = (long)a;
    (void)d;
    (void)e;
    return 0;
}
#endif
