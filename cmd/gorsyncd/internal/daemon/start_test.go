package daemon

import (
	"testing"
	"time"

	"gorsyncd/journal"
)

func TestStartUpdate(t *testing.T) {
	const (
		plain  = "host::www"
		always = "{name: host, target: 'host::www', full_sync: {on_start: always}}"
		never  = "{name: host, target: 'host::www', full_sync: {on_start: never}}"
		other  = "{name: host, target: 'host::other'}"
		filter = "{name: host, target: 'host::www', exclude: ['*.log']}"
		full   = "{name: host, target: 'host::www', empty_dirs: false}"
	)
	known := startUpdate(journal.RemoteState{}, nil, load(t, plain, ""), false, false).State
	if known == nil || known.Target == "" || known.Filter == "" {
		t.Fatalf("a first start notes nothing: %+v", known)
	}
	fresh := &journal.FullSync{Reason: journal.NewRemote}
	asked := &journal.FullSync{Reason: "requested"}
	begun := &journal.FullSync{Reason: journal.NewRemote, Begun: true, Started: time.Now()}
	for _, c := range []struct {
		name, remote string
		full         *journal.FullSync
		lost, cut    bool
		reason       string // of the full sync to begin
		end          bool
	}{
		{"nothing new", plain, nil, false, false, "", false},
		{"a full sync under way", plain, asked, false, false, "", false},
		{"always", always, nil, false, false, "full_sync.on_start: always", false},
		{"always, under way", always, asked, false, false, "", false},
		{"never, new remote", never, fresh, false, false, "", true},
		{"never, but somebody asked", never, asked, false, false, "", false},
		{"never, but begun under other rules", never, begun, false, false, "", false},
		{"never, but the journal is lost", never, fresh, true, false, "journal lost", false},
		{"power cut", plain, nil, false, true, "power cut", false},
		{"power cut during a full sync", plain, asked, false, true, "power cut", false},
		{"power cut before the first full sync", plain, fresh, false, true, "", false},
		{"other target", other, nil, false, false, "target changed", false},
		{"other filter", filter, nil, false, false, "filter changed", false},
		{"other filter, under way", filter, asked, false, false, "filter changed", false},
	} {
		up := startUpdate(*known, c.full, load(t, c.remote, ""), c.lost, c.cut)
		reason := ""
		if up.FullSync != nil {
			reason = up.FullSync.Reason
		}
		if reason != c.reason || up.EndFullSync != c.end {
			t.Errorf("%s: full sync %q, end %v", c.name, reason, up.EndFullSync)
		}
	}
	// Empty directories that were left out are made up for, those that will be
	// left out stay.
	up := startUpdate(*known, nil, load(t, full, ""), false, false)
	if up.FullSync != nil || up.State == nil {
		t.Fatalf("empty_dirs switched off: %+v", up)
	}
	without := *up.State
	for remote, reason := range map[string]string{full: "", plain: "empty_dirs changed", filter: "filter changed"} {
		up := startUpdate(without, nil, load(t, remote, ""), false, false)
		if got := up.FullSync; (got == nil) != (reason == "") || got != nil && got.Reason != reason || (up.State == nil) != (reason == "") {
			t.Errorf("from empty_dirs: false to %s: %+v", remote, up)
		}
	}
	moved := *known
	moved.Place = "old disk"
	if up := startUpdate(moved, nil, load(t, other, ""), false, false); up.State == nil || up.State.Place != "" {
		t.Errorf("the place of the old target stays: %+v", up.State)
	}
}
