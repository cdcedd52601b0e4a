/* Stands in for a library of a language runtime that looks for pointers on stacks: the name of its file tells. */
int stand_in(int number);

__attribute__((noinline)) int stand_in(int number)
{
    return number > 0 ? number * 3 : number - 1;
}
