package replicate

import (
	"strings"

	"gorsyncd/journal"
)

// MakesGood tells whether a full sync stands for entries that the cursor has passed
// without their being sent; for a path that it does not reach it does not. Others only
// compare what was sent: somebody asked for them, or something was found to differ.
func MakesGood(f *journal.FullSync, path string) bool {
	if f == nil || askedFor(f.Reason) {
		return false
	}
	return f.Sub == "" || path == f.Sub || isBelow(path, f.Sub)
}

// askedFor tells the reasons of the others.
func askedFor(reason string) bool {
	for _, begin := range []string{"schedule ", "requested", "full_sync.on_start", "verify"} {
		if strings.HasPrefix(reason, begin) {
			return true
		}
	}
	return strings.HasSuffix(reason, " mended")
}
