/* Functions whose signatures compilers change: dropped, moved and constant parameters, unused results, members in place
 * of pointers. Compiled in many ways by tests/lib/signatures.py, which reads the comments that begin with `@`: name of
 * the function, then each value as LABEL=PLACE:TYPE. Each call is printed with what was passed and what came back. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "victim.h"

#define STATIC   __attribute__((noinline)) static
#define EXPORTED __attribute__((noinline, visibility("default")))
#define HIDDEN   __attribute__((noinline, visibility("hidden")))

enum {
    CALLS = 12
};

struct request {
    int method;
    int code;
};

struct pair {
    long first;
    long second;
};

struct block {
    long words[5];
};

static long total;
static int *volatile kept;

/* @ dropped id=arg1:int path=arg3:cstring code=arg4:int unused=arg2:int ret=int */
STATIC int dropped(int id, int unused, const char *path, int code)
{
    if (getppid() < 0)
        puts(path);
    return id % 5 - 2 + (code > 1000) + (path[0] == 'x');
}

/* @ no_context level=arg2:int who=arg3:cstring ret=int */
STATIC int no_context(void *context, int level, const char *who)
{
    total += who[0];
    return level > 2 ? -1 : 0;
}

/* @ promoted code=param:request->code w=arg2:int ret=int */
STATIC int promoted(const struct request *request, int w)
{
    int code = request->code;

    total += code;
    return code + w;
}

/* @ promoted_twice code=param:request->code method=param:request->method w=arg2:int ret=int */
STATIC int promoted_twice(const struct request *request, int w)
{
    int sum = request->code + request->method * 3;

    total += sum;
    return sum + w;
}

/* @ promoted_pointer w=arg2:int table=arg3:cstring ret=int */
STATIC int promoted_pointer(int *counter, int w, const char *table)
{
    total += *counter + table[0];
    return w - 3;
}

/* @ half first=param:pair->first second=param:pair->second w=arg3:int ret=long */
STATIC long half(struct pair pair, int w)
{
    total += pair.second;
    return w * pair.second;
}

/* @ whole w=arg1:int ret=long */
STATIC long whole(struct block block, int w)
{
    total += block.words[2];
    return w + block.words[2];
}

/* @ both w=arg1:int */
STATIC struct pair both(int w)
{
    struct pair pair = {w, w * 2 + total};

    total += w;
    return pair;
}

/* @ large k=arg2:int */
STATIC struct block large(int k)
{
    struct block block = {{k, k, total}};

    total += k;
    return block;
}

/* @ unused_result a=arg1:int ret=int */
STATIC int unused_result(int a)
{
    total += a;
    return a % 4 ? 1 : -1;
}

/* @ constant k=arg1:int w=arg2:int ret=long */
STATIC long constant(int k, int w)
{
    total += k * w;
    return w - k;
}

/* @ constant_string table=arg1:cstring n=arg2:uint32 ret=int */
STATIC int constant_string(const char *table, unsigned n)
{
    total += n + (unsigned)table[0];
    return n == 3 ? -1 : 0;
}

/* @ takes_address unused=arg1:int k=arg2:int ret=int */
STATIC int takes_address(int unused, int k)
{
    kept = &k;
    total += *kept;
    return k - 4;
}

/* @ narrow a=arg1:int b=arg2:int c=arg3:bool d=arg4:int ret=int */
STATIC int narrow(signed char a, unsigned short b, bool c, int d)
{
    total += a + b + c;
    return d ? a : b;
}

/* @ many a=arg1:long d=arg4:long g=arg7:long h=arg8:int ret=long */
STATIC long many(long a, long b, long c, long d, long e, long f, long g, int h)
{
    total += a + d + g * h;
    return a - h;
}

/* @ mixed a=arg1:int c=arg2:int e=arg3:cstring ret=int */
STATIC int mixed(double x, int a, float y, int c, double z, const char *e)
{
    total += (long)(x + z) + e[0];
    return a - c;
}

/* @ down n=arg1:int acc=arg3:long ret=long */
STATIC long down(int n, int unused, long acc)
{
    return n <= 0 ? acc : down(n - 1, unused, acc + n) + (total & 0);
}

/* @ outer id=arg1:int through=arg2:int ret=int */
STATIC int inner_of(int id, int through)
{
    total += id;
    return id - 5;
}

STATIC int outer(int id, int through)
{
    return inner_of(id, through) + 1;
}

/* @ called_back ret=int */
STATIC int called_back(const void *left_item, const void *right)
{
    const struct request *left = left_item;

    return left->code - ((const struct request *)right)->code;
}

/* @ variadic n=arg1:int second=arg2:int ret=int */
STATIC int variadic(int n, ...)
{
    va_list list;
    int last = 0;

    va_start(list, n);
    for (int i = 0; i < n; i++)
        last = va_arg(list, int);
    va_end(list);
    total += last;
    return last - 4;
}

/* @ wide big=arg2:long ret=long */
STATIC long wide(int small, long big)
{
    total += small;
    return big / 2;
}

/* @ exported id=arg1:int path=arg3:cstring code=arg4:int ret=int */
EXPORTED int exported(int id, int unused, const char *path, int code)
{
    if (getppid() < 0)
        puts(path);
    return id % 5 - 2 + (code > 1000) + (path[0] == 'x');
}

/* @ exported_unused id=arg1:int unused=arg2:int c=arg3:int ret=int */
EXPORTED int exported_unused(int id, int unused, int c)
{
    total += id * c;
    return id - 4;
}

/* @ exported_calls id=arg1:int unused=arg2:int ret=int */
EXPORTED int exported_calls(int id, int unused)
{
    if (getppid() < 0)
        puts("?");
    return id - 4;
}

/* @ exported_through id=arg1:int through=arg2:int ret=int */
EXPORTED int exported_through(int id, int through)
{
    return exported_unused(id, through, 1) - 1;
}

/* @ exported_pair w=arg3:int ret=long */
EXPORTED long exported_pair(struct pair pair, int w)
{
    return pair.second - w;
}

/* @ hidden id=arg1:int path=arg3:cstring ret=int */
HIDDEN int hidden(int id, int unused, const char *path)
{
    total += path[0];
    return id - 3;
}

/* @ hidden_quiet a=arg1:int ret=int */
HIDDEN int hidden_quiet(int a, int unused)
{
    total += a;
    return a % 3 - 1;
}

static int input(int n)
{
    volatile int number = n;

    return number;
}

static void pass_pointers(int i)
{
    struct request request = {input(i % 3), input(200 + i % 4)};
    int counter = input(i);
    int w = input(i % 2);

    printf("call promoted code=%d w=%d ret=%d\n", request.code, w, promoted(&request, w));
    printf("call promoted_twice code=%d method=%d w=%d ret=%d\n", request.code, request.method, w,
           promoted_twice(&request, w));
    printf("call promoted_pointer w=%d table=tab ret=%d\n", w, promoted_pointer(&counter, w, "tab"));
}

static void pass_structs(int i)
{
    struct pair pair = {input(i + 100), input(i % 4)};
    struct block block = {{1, 2, i, 4, 5}};
    struct pair back;
    struct block copy;

    printf("call half first=%ld second=%ld w=%d ret=%ld\n", pair.first, pair.second, i % 3, half(pair, i % 3));
    printf("call whole w=%d ret=%ld\n", i % 3, whole(block, i % 3));
    back = both(input(i % 5));
    printf("call both w=%d\nsum %d\n", i % 5, back.second > 0);
    copy = large(input(i % 5));
    printf("call large k=%d\nsum %ld\n", i % 5, copy.words[1]);
    printf("call exported_pair w=%d ret=%ld\n", i % 3, exported_pair(pair, i % 3));
}

static void pass_scalars(int i)
{
    unused_result(input(i));
    printf("call unused_result a=%d ret=%d\n", i, i % 4 ? 1 : -1);
    printf("call constant k=7 w=%d ret=%ld\n", i % 5, constant(7, input(i % 5)));
    printf("call constant_string table=t n=%d ret=%d\n", i % 4, constant_string("t", (unsigned)input(i % 4)));
    printf("call takes_address unused=%d k=%d ret=%d\n", i, i % 6, takes_address(input(i), input(i % 6)));
    printf("call narrow a=%d b=%d c=%s d=%d ret=%d\n", -i % 3, 65000 + i % 2, i % 2 ? "true" : "false", i % 2,
           narrow((signed char)input(-i % 3), (unsigned short)input(65000 + i % 2), input(i) % 2, i % 2));
    printf("call many a=%d d=%d g=%d h=%d ret=%ld\n", i, i % 4, i % 5, i % 3,
           many(input(i), 2, 3, input(i % 4), 5, 6, input(i % 5), i % 3));
    printf("call mixed a=%d c=%d e=%s ret=%d\n", i % 4, i % 2, i % 2 ? "odd" : "even",
           mixed(1.5, input(i % 4), 2.5F, input(i % 2), 3.5, i % 2 ? "odd" : "even"));
    printf("call wide big=%ld ret=%ld\n", 5000000000 + i, wide(i, 5000000000 + input(i)));
}

static void pass_others(int i)
{
    long sum = down(input(2), i, 10);

    printf("call down n=2 acc=10 ret=%ld\ncall down n=1 acc=12 ret=%ld\ncall down n=0 acc=13 ret=%ld\n", sum, sum, sum);
    printf("call outer id=%d through=%d ret=%d\n", i % 7, i, outer(input(i % 7), input(i)));
    printf("call variadic n=2 second=%d ret=%d\n", i % 3, variadic(2, input(i % 3), 5));
    printf("call dropped id=%d path=/%d code=200 unused=%d ret=%d\n", i, i % 2, i * 3,
           dropped(input(i), i * 3, i % 2 ? "/1" : "/0", 200));
    printf("call no_context level=%d who=%s ret=%d\n", i % 5, i % 2 ? "bob" : "ann",
           no_context(NULL, input(i % 5), i % 2 ? "bob" : "ann"));
}

static void pass_exported(int i)
{
    printf("call exported id=%d path=/%d code=%d ret=%d\n", i, i % 2, 200 + i % 2,
           exported(input(i), i * 3, i % 2 ? "/1" : "/0", input(200 + i % 2)));
    printf("call exported_unused id=%d unused=%d c=%d ret=%d\n", i, i * 3, i % 2,
           exported_unused(input(i), i * 3, input(i % 2)));
    printf("call exported_unused id=%d unused=%d c=1 ret=%d\n", i, i * 5, i - 4);
    printf("call exported_through id=%d through=%d ret=%d\n", i, i * 5, exported_through(input(i), i * 5));
    printf("call exported_calls id=%d unused=%d ret=%d\n", i, i * 3, exported_calls(input(i), input(i * 3)));
    printf("call hidden id=%d path=/%d ret=%d\n", i, i % 2, hidden(input(i), i * 3, i % 2 ? "/1" : "/0"));
    hidden_quiet(input(i), i * 3);
    printf("call hidden_quiet a=%d ret=%d\n", i, i % 3 - 1);
}

int main(void)
{
    int (*volatile compare)(const void *, const void *) = called_back;
    struct request left = {0, 7};

    for (int i = 0; i < CALLS; i++) {
        pass_pointers(i);
        pass_structs(i);
        pass_scalars(i);
        pass_others(i);
        pass_exported(i);
        left.code = i % 4;
        printf("call called_back ret=%d\n", compare(&left, &(struct request){0, 2}));
    }
    printf("total %ld\n", total);
    return victim_finish();
}
