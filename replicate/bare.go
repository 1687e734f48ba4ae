package replicate

import (
	"strings"

	"gorsyncd/journal"
)

// bare is what is left out of rsync's arguments for a remote that does not keep
// it: every file with such an attribute would fail there for good, with all
// that it brings (a verify pass, a place in the retry set).
type bare struct {
	acls, xattrs bool
}

func bareOf(p journal.Probe) bare {
	return bare{acls: indexFinding(p.Findings, "W-ACLS") >= 0, xattrs: indexFinding(p.Findings, "W-XATTRS") >= 0}
}

// strip takes -A and -X out of the user's arguments. It returns args itself
// when there is nothing to do.
func (b bare) strip(args []string) []string {
	if b == (bare{}) {
		return args
	}
	out := make([]string, 0, len(args))
	for _, arg := range args {
		switch {
		case b.acls && arg == "--acls", b.xattrs && arg == "--xattrs":
			continue
		case strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--"):
			if arg = b.stripShort(arg); arg == "-" {
				continue
			}
		}
		out = append(out, arg)
	}
	return out
}

func (b bare) stripShort(arg string) string {
	var keep strings.Builder
	for i, c := range arg {
		if strings.ContainsRune(shortWithValue, c) {
			return keep.String() + arg[i:]
		}
		if c == 'A' && b.acls || c == 'X' && b.xattrs {
			continue
		}
		keep.WriteRune(c)
	}
	return keep.String()
}

// shortWithValue are the one-letter options of rsync whose value may follow in
// the same word, which ends a cluster of letters.
const shortWithValue = "BTefM@"
