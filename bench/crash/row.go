package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is one line of the fault matrix.
type row struct {
	name string
	what string // for the table

	setup  func(*world) error // before the configuration is written; may be nil
	inject func(*world) error // while the tree changes; has healed when it returns
	verify func(*world) error // after quiet, before judging: for what only verify finds; may be nil

	disks    []string // file systems it makes sense on; nil: plain directories
	split    bool     // the state directory has a disk of its own
	farMB    int
	inodes   int           // of each disk; 0: as many as the file system likes
	blind    bool          // the observer must look away: disks go back in time
	idle     bool          // the tree does not change while the fault is injected
	global   bool          // changes what the whole machine shares
	patience time.Duration // until it is quiet, if it needs more than others
	judged   int           // everything is compared after so many cycles; 0: after each
	weight   int           // times as many faults as another row; 0 is 1
}

// rows is the fault matrix, in the order of the table.
func rows() []*row {
	return slices.Concat(killRows(), powerRows(), diskRows(), journalRows(), remoteRows(), sourceRows(), treeRows())
}

// pick returns the rows of that name, prefix* or all.
func pick(names string) ([]*row, error) {
	var out []*row
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, r := range rows() {
			if name == "all" || r.name == name || strings.HasSuffix(name, "*") && strings.HasPrefix(r.name, strings.TrimSuffix(name, "*")) {
				out = append(out, r)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("no row is called %q (see -list)", name)
		}
	}
	return out, nil
}
