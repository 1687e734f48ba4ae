package replicate

import (
	"slices"
	"strings"
	"time"

	"gorsyncd/journal"
)

// findingText says what a finding means and what a person can do about it.
type findingText struct {
	meaning, remedy string
	spoils          bool // the copy is not like its source
}

// idOld is the finding of known faults.
const idOld = "W-RSYNC-OLD"

// findings are what a probe may come to. Each makes a copy differ from its
// source without rsync ever reporting it, or fail for good.
var findings = map[string]findingText{
	"W-OWNERS": {"owners and groups are not kept: the receiver is not root",
		"run the module with uid = root and gid = root, or log in as root; or let the receiver note owners with fake super = yes (over ssh: rsync.args [-M--fake-super]); or accept it with rsync.args [--no-o, --no-g]", true},
	"W-MODES": {"permissions are not kept",
		"take incoming chmod out of the module; a file system without permissions needs rsync.args [--no-p]", true},
	"W-SYMLINKS": {"symlinks are not kept as they are",
		"set munge symlinks = no and use chroot = yes for the module", true},
	"W-TIMES": {"times are kept without their fractions of a second: a full sync sends every file again",
		"use a file system that keeps nanoseconds, such as ext4 with inodes of 256 bytes, xfs or btrfs", true},
	"W-XATTRS": {"extended attributes are not kept: -X is left out for this remote",
		"use a file system with user xattrs there, or take -X out of rsync.args", true},
	"W-ACLS": {"ACLs are not kept: -A is left out for this remote",
		"use a file system with ACLs there, or take -A out of rsync.args", true},
	idOld: {"an rsync with known faults is in use",
		"upgrade rsync to 3.4.4 or later on both sides (3.4.3 also aborts removals)", false},
	idAborts: {"the receiving rsync aborts removals: they are made in a way that takes longer",
		"upgrade rsync there to 3.4.4 or later; of Debian 12 that is the one from its security archive", false},
}

// FindingStatus is something that a remote does not keep.
type FindingStatus struct {
	ID      string    `json:"id"`
	Since   time.Time `json:"since"`
	Message string    `json:"message"`
	Detail  string    `json:"detail"` // what was seen
	Remedy  string    `json:"remedy"`
	Spoils  bool      `json:"spoils"` // the copy is not like its source
}

// FindingsOf are the findings stored for a remote; never nil.
func FindingsOf(st journal.RemoteState) []FindingStatus {
	out := make([]FindingStatus, 0, len(st.Probe.Findings))
	for _, f := range st.Probe.Findings {
		t := findings[f.ID] // none for one of a newer version
		out = append(out, FindingStatus{ID: f.ID, Since: f.Since, Message: t.meaning, Detail: f.Detail, Remedy: t.remedy, Spoils: t.spoils})
	}
	return out
}

// mergeFindings replaces what was looked at: the rest stays as it was, unless
// nobody asks for it any more.
func mergeFindings(old, found []journal.Finding, looked, asked aspects, now time.Time) []journal.Finding {
	var out []journal.Finding
	for _, f := range old {
		if asked.has(f.ID) && !looked.has(f.ID) {
			out = append(out, f)
		}
	}
	for _, f := range found {
		f.Since = now
		if i := indexFinding(old, f.ID); i >= 0 {
			f.Since = old[i].Since
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b journal.Finding) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func indexFinding(list []journal.Finding, id string) int {
	return slices.IndexFunc(list, func(f journal.Finding) bool { return f.ID == id })
}
