// Methods, lambdas, templates and objects by value, as changed-signatures.c: the comments say what a function has, and
// behind `~` what its demangled name matches.
#include <cstdio>
#include <string>
#include <unistd.h>

#include "victim.h"

#define STATIC __attribute__((noinline))

static long total;

namespace
{
// @ local_add ~ Local::add\( n=arg2:int extra=arg4:int ret=int
struct Local {
    int base;

    STATIC int add(int n, int unused, int extra)
    {
        total += base;
        return n - extra;
    }

    // @ local_peek ~ Local::peek\( n=arg2:int ret=int
    STATIC int peek(int n) const
    {
        total += n;
        return n % 3 - 1;
    }
};

// @ scale ~ ^.*scale<3>\( n=arg1:int m=arg3:int ret=int
template <int N> STATIC int scale(int n, int unused, int m)
{
    total += n * N;
    return n - m;
}
} // namespace

struct Public {
    int base;

    // @ public_add ~ Public::add\( n=arg2:int ret=int
    STATIC int add(int n, int unused)
    {
        total += base;
        return n - 4;
    }

    // @ of_class ~ Public::of_class\( n=arg1:int ret=int
    STATIC static int of_class(int n)
    {
        total += n;
        return -n;
    }

    // @ virtual_run ~ Public::run\( n=arg2:int ret=int
    STATIC virtual int run(int n)
    {
        total += n;
        return n - base;
    }

    virtual ~Public() {}
};

struct Counted {
    long number;
    long second;

    Counted(long n) : number(n), second(n) {}
    Counted(const Counted &other) : number(other.number), second(other.second)
    {
        total++;
    }
    ~Counted()
    {
        total--;
    }
};

// @ by_value ~ ^by_value\( number=param:counted->number n=arg2:int ret=long
STATIC static long by_value(Counted counted, int n)
{
    total += counted.number;
    return counted.number - n;
}

// @ by_reference ~ ^by_reference\( number=param:number n=arg2:int ret=int
STATIC static int by_reference(const int &number, int n)
{
    total += number;
    return number - n;
}

// @ returns_object ~ ^returns_object\( n=param:n
STATIC static Counted returns_object(int n, int unused)
{
    total += n;
    return Counted(n);
}

// @ generic ~ ^.*generic<long>\( n=arg1:long ret=long
template <typename T> STATIC T generic(T n, int unused)
{
    total += static_cast<long>(n);
    return n - 2;
}

// @ exported_name ~ ^exported_name\( n=arg1:int text=arg3:cstring ret=int
__attribute__((noinline, visibility("default"))) int exported_name(int n, int unused, const char *text)
{
    if (getppid() < 0)
        puts(text);
    return n - 3;
}

// @ throws ~ ^throws\( n=arg1:int ret=int
STATIC static int throws(int n, int unused)
{
    if (n < 0)
        throw n;
    return n % 2 ? -1 : 1;
}

static int input(int n)
{
    volatile int number = n;

    return number;
}

// @ lambda ~ run_lambdas.*operator\(\) n=arg2:int
static void run_lambdas(int i)
{
    long sum = i;
    auto lambda = [&sum](int n, int unused) __attribute__((noinline))
    {
        sum += n;
        return n - 1;
    };

    printf("call lambda n=%d ret=%d\n", i % 5, lambda(input(i % 5), i));
    total += sum;
}

static void run_methods(int i)
{
    Local local = {i};
    Public object;

    object.base = 2;
    Public *volatile pointer = &object;

    printf("call local_add n=%d extra=%d ret=%d\n", i % 4, i % 3, local.add(input(i % 4), i, input(i % 3)));
    printf("call local_peek n=%d ret=%d\n", i, local.peek(input(i)));
    printf("call scale n=%d m=%d ret=%d\n", i % 5, i % 3, scale<3>(input(i % 5), i, input(i % 3)));
    printf("call public_add n=%d ret=%d\n", i, object.add(input(i), i));
    printf("call of_class n=%d ret=%d\n", i, Public::of_class(input(i)));
    printf("call virtual_run n=%d ret=%d\n", i % 5, pointer->run(input(i % 5)));
}

int main()
{
    for (int i = 0; i < 12; i++) {
        int number = input(i % 6);

        run_methods(i);
        run_lambdas(i);
        printf("call by_value number=%d n=%d ret=%ld\n", i, i % 3, by_value(Counted(i), input(i % 3)));
        printf("call by_reference number=%d n=%d ret=%d\n", number, i % 2, by_reference(number, input(i % 2)));
        printf("call returns_object n=%d\n", i);
        total += returns_object(input(i), i).number;
        printf("call generic n=%d ret=%ld\n", i, generic<long>(input(i), i));
        printf("call exported_name n=%d text=%s ret=%d\n", i, i % 2 ? "odd" : "even",
               exported_name(input(i), i, i % 2 ? "odd" : "even"));
        printf("call throws n=%d ret=%d\n", i, throws(input(i), i));
    }
    printf("total %ld\n", total);
    return victim_finish();
}
