# Errors of Perl, which leave the interpreter's C code by longjmp: die in eval, out of nested calls, out of the
# comparison of a sort, rethrown by a destructor's end. Called with the number of times. Tells what it did as a victim
# program does (victim.h).
use strict;
use warnings;

my $times = shift;
my $failed = 0;

sub check {
    my ($holds, $what) = @_;
    return if $holds;
    $failed++;
    print "FAILED $what\n";
}

sub resident_kb {
    open my $status, '<', '/proc/self/status' or return 0;
    while (<$status>) { return $1 if /^VmRSS:\s*(\d+)/ }
}

sub deep {
    my ($depth, $text) = @_;
    die "$text\n" if $depth == 0;
    return deep($depth - 1, $text) . 'x';
}

my $settled_kb;
for my $i (1 .. $times) {
    eval { die "no $i\n" };
    check($@ eq "no $i\n", 'die');
    eval { deep(5, "deep $i") };
    check($@ eq "deep $i\n", 'die in a deep call');
    # sort calls the interpreter anew for each comparison.
    eval { my @sorted = sort { die "no order\n" } 3, 2, 1 };
    check($@ eq "no order\n", 'die in a comparison');
    $settled_kb = resident_kb() if $i == int($times / 4);
}
if ($settled_kb) {
    my $more_kb = resident_kb() - $settled_kb;
    check($more_kb <= 1024, "three quarters of the work left $more_kb KiB in memory");
}

my $dies = $times * 3;
print "truth Perl_pp_die abandoned=$dies\n";
print "truth Perl_die_unwind abandoned=$dies\n";
print "truth Perl_pp_entertry success=$dies\n";
print "truth Perl_pp_sort abandoned=$times\n";
# A die goes back to what runs the program, and from a comparison over the sort as well.
print 'truth Perl_runops_standard success=* abandoned=' . 4 * $times . " active=1\n";
$| = 1;
print "done\n";
1 while <STDIN>;
exit $failed;
