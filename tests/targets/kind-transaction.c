/* Transactions, each with a query or two inside; a failing query rolls back. */
#include "samples.h"
#include "victim.h"

enum {
    ROUNDS = 3000,
    NO_FUNDS = -2,
    BUSY = -3
};

static struct outcomes withdrawals, deposits, transfers;

TRACKED int withdraw(int account, int amount)
{
    TOUCH();
    return account % 10 == 7 ? NO_FUNDS : amount;
}

TRACKED int deposit(int account, int amount)
{
    TOUCH();
    return account % 25 == 3 ? BUSY : amount;
}

static int count(struct outcomes *counts, int result)
{
    counts->success += result >= 0;
    counts->throttled += result == BUSY;
    counts->error += result == NO_FUNDS;
    return result;
}

TRACKED int transfer(int from, int to, int amount)
{
    int result = count(&withdrawals, withdraw(from, amount));

    TOUCH();
    if (result >= 0)
        result = count(&deposits, deposit(to, amount));
    return result;
}

int main(void)
{
    for (int i = 0; i < ROUNDS; i++)
        count(&transfers, transfer(i, i / 3, i));
    say_outcomes("function=\"transfer\",kind=\"transaction\",transaction=\"transfer\"", &transfers);
    say_outcomes("function=\"withdraw\",kind=\"query\",database=\"bank\",table=\"accounts\"", &withdrawals);
    say_outcomes("function=\"deposit\",kind=\"query\",database=\"bank\",table=\"accounts\"", &deposits);
    return victim_finish();
}
