# Counts the lines of a folder of objects as one library reads them: readers.pl LIBRARY FOLDER.
use strict;
use warnings;
use IO::Uncompress::Gunzip qw($GunzipError);
use Compress::Zlib;

my ($library, $folder) = @ARGV;
my $lines = 0;
for my $file (glob "$folder/*") {
    my $in = $library eq 'gunzip' ? IO::Uncompress::Gunzip->new($file) : gzopen($file, 'rb');
    die "$GunzipError\n" unless $in;
    if ($library eq 'gunzip') { $lines++ while defined $in->getline; next }
    my $line;
    $lines++ while $in->gzreadline($line) > 0;
}
print "$lines\n";
