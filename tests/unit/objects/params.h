/* Functions whose parameters are found by name: each shows one rule of the calling convention. Prototypes for the test,
 * which calls through them and looks at where the values went. */
#ifndef CALLMETER_TESTS_PARAMS_H
#define CALLMETER_TESTS_PARAMS_H

#include <complex.h>
#include <stdbool.h>
#include <stdint.h>

enum color {
    COLOR_RED = 1,
    COLOR_BLUE = 7
};

typedef const char *params_text;

struct request {
    uint32_t id;
    short method_len;
    char method[10];
    const char *path;
    union {
        int64_t as_int;
        double as_double;
    };
    struct {
        unsigned char deep;
        signed char deeper;
    };
    unsigned flag : 3;
    enum color color;
    bool is_last;
    float ratio;
    struct request *next;
    uint16_t words[4];
};

struct pair {
    long first;
    long second;
};
struct mixed {
    int number;
    float ratio;
    double weight;
};
struct floats {
    float x, y, z;
};
struct triple {
    long a, b, c;
};
struct packed {
    char c;
    long value;
} __attribute__((packed));
struct packed_more {
    char c;
    int32_t value;
    char d;
} __attribute__((packed));
struct tail {
    long value;
    unsigned low : 20;
};
struct bits {
    unsigned low : 20;
    unsigned high : 30;
    float ratio;
};
struct wide {
    __int128 value;
};
struct x87 {
    long double value;
};
struct aligned {
    int32_t value;
} __attribute__((aligned(16)));
struct empty {
};
typedef float vector4 __attribute__((vector_size(16)));
struct holder {
    vector4 vector;
};
union either {
    double real;
    int integer;
};
union long_or {
    long double real;
    long integer;
};

struct arrayed {
    float xy[2];
    int32_t numbers[2];
};
struct named {
    char name[8];
    long id;
};
/* The same bytes, in either order. */
union vector_first {
    vector4 vector;
    float lanes[4];
};
union lanes_first {
    float lanes[4];
    vector4 vector;
};
struct four {
    float a, b, c, d;
};
union four_first {
    struct four four;
    vector4 vector;
};
struct huge {
    long words[300];
};
struct open_ended {
    long count;
    char text[];
};
typedef float vector8 __attribute__((vector_size(32)));

struct opaque;      /* defined in params_more.c */
struct unexplained; /* defined nowhere */

int opaques(struct opaque *o, struct unexplained *u);
int ints(int a, unsigned b, short c, unsigned char d, bool e, int64_t f, uint64_t g, int8_t h, long i);
int doubles(double a, float b, double c, double d, double e, double f, double g, double h, double i, int j, float k);
int strings(const char *table, params_text const name, char *restrict other, const void *blob,
            const unsigned char *bytes);
int requests(struct request *request, const struct request *const *pointers, enum color color);
struct triple returns_triple(int a, double b);
struct pair returns_pair(int a, double b);
long double returns_x87(int a);
struct x87 returns_struct_x87(int a);
union long_or returns_union_x87(int a);
_Complex long double returns_complex_x87(int a);
_Complex double returns_complex(int a);
int pairs(int a, struct pair p, int b, struct pair q, struct pair r, int c);
int mixes(struct mixed m, int a, struct floats f, double b);
int triples(int a, struct triple t, int b, double c);
int packs(struct packed p, int a);
int bitses(struct bits b, int a);
int wides(__int128 w, int a, __int128 x, __int128 y, int b);
int struct_wides(struct wide w, int a);
int x87s(int a, long double x, double b, struct x87 y, int c, int d, int e, int f, int g, int h);
int aligneds(long a, long b, long c, long d, long e, long f, long g, struct aligned h, long i);
int empties(struct empty a, int b, struct empty c, int d);
int vectors(vector4 v, struct holder h, double a);
int eithers(union either e, int a);
int complexes(_Complex double c, _Complex float d, double e, _Complex long double f, int g, int h, int i, int j, int k,
              int l, int m);
int packed_field(struct packed *p);
int variadic(const char *format, int count, ...);
int arrays(struct arrayed v, int a, double b);
int nameds(struct named n, int a);
int lanes(union vector_first v, double a, union lanes_first w, double b);
int fours(union four_first v, double a);
int huges(long a, long b, long c, long d, long e, long f, struct huge h, long i);
int open_endeds(struct open_ended *o, int a);
int wide_vectors(vector8 v, int a);
int long_names(int the_first_parameter_with_a_very_long_name, int the_second_parameter_with_a_very_long_name,
               int the_third_parameter_with_a_very_long_name, int the_fourth_parameter_with_a_very_long_name,
               int the_fifth_parameter_with_a_very_long_name);
int packs_more(struct packed_more p, int a);
int tails(long a, long b, long c, long d, long e, long f, long g, struct tail t, long i);
int odd_wides(long a, long b, long c, long d, long e, long f, long g, __int128 w, long i);
int quads(__float128 q, double a);
int pushed(int a, int b, int c, int d, int e, int f, double g, int h, struct triple t, double i[], int (*j)(int));

/* Not known to clang. */
#ifndef __clang__
int decimals(_Decimal128 d, _Decimal64 e, double a);
#endif

#endif
