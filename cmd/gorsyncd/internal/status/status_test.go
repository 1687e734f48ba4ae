package status

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func at(ago time.Duration) *time.Time {
	t := now.Add(-ago)
	return &t
}

// busy is a Status with a remote in every state.
func busy() Status {
	s := New(now, FromDaemon)
	s.Daemon = &Daemon{Version: "1.0.0", PID: 7, UptimeSeconds: 273600, ConfigFile: "/etc/g.yaml", LastReloadError: "/etc/g.yaml:1:2: bad\n 1 | x"}
	s.Daemon.NeedsRestart = []string{"state_dir", "socket.mode"}
	s.Kept = []Kept{
		{Name: "www/old", Source: "www", Remote: "old", LagEntries: 12040, LagSeconds: 11000, Failing: 1},
		{Name: "gone/nas", Source: "gone", Remote: "nas"},
	}
	s.Journal = Journal{HeadSeq: 184223, Entries: 90214, SizeBytes: 1468006, MaxBytes: 1500000, PinnedBy: "www/nas", OldestEntry: at(time.Hour)}
	s.Sources = []Source{
		{Name: "www", Status: watch.Status{State: "watching", Backend: "inotify", Dirs: 12412, Watches: 12412, WatchLimit: 1048576, Overflows: 3,
			Unwatched: 2, UnwatchedSample: []string{"a\x1b[2J", "图片"}, Hints: []string{"sysctl -w fs.inotify.max_user_watches=1"}}},
		{Name: "bbs", Status: watch.Status{Backend: "mixed", Fallbacks: []string{"no mark on /m"}, State: "held", Held: "its root is empty", Hints: []string{"sysctl -w fs.inotify.max_user_watches=1"}}},
		{Name: "new", Status: watch.Status{State: "scanning", ScanDirs: 123456}},
	}
	r := func(name string, st replicate.State, more func(*replicate.Status)) {
		source, remote, _ := strings.Cut(name, "/")
		v := replicate.Status{Name: name, Source: source, Remote: remote, State: st, InFlight: []replicate.BatchStatus{}}
		more(&v)
		s.Remotes = append(s.Remotes, v)
	}
	old := replicate.FindingStatus{ID: "W-RSYNC-OLD", Since: now, Message: "an rsync with known faults", Detail: "rsync 3.2.7", Remedy: "upgrade"}
	r("www/web1", replicate.StateInSync, func(v *replicate.Status) {
		v.LastSuccess = at(2 * time.Second)
		v.Findings = []replicate.FindingStatus{old}
	})
	r("www/dr", replicate.StateSyncing, func(v *replicate.Status) {
		v.LagEntries, v.LagSeconds, v.LagBytes, v.Rate, v.LastSuccess = 1204, 41.3, 65011712, 8493465, at(time.Second)
		v.InFlight = []replicate.BatchStatus{{ID: 1, Sample: "gbk\xb1\xa8"}, {ID: 2, Sample: "b"}, {ID: 3}}
		v.Findings = []replicate.FindingStatus{{ID: "W-OWNERS", Since: now, Message: "100 % lost", Detail: "seen", Remedy: "do", Spoils: true}, old}
	})
	r("www/nas", replicate.StateRetrying, func(v *replicate.Status) {
		v.LagEntries, v.LagSeconds, v.LastSuccess = 88310, 7980.2, at(133*time.Minute)
		v.Error = &replicate.StatusError{ID: "E-CONNECT", Class: replicate.ClassTransient, RsyncExit: 10, Message: "connection refused", Attempts: 19, NextRetry: at(-250 * time.Second)}
	})
	r("bbs/web1", replicate.StateHeld, func(v *replicate.Status) {
		v.LagEntries, v.LagSeconds, v.LastSuccess = 31, 360, at(6*time.Minute)
		v.Held = &replicate.HeldStatus{Reason: "G-MAXDELETE would delete 14022 files (limit 1000)", Since: now}
	})
	r("bbs/报表", replicate.StateFailing, func(v *replicate.Status) {
		v.Failing = 2
		v.Error = &replicate.StatusError{ID: "E-DEST-PERM", Message: "mkstemp: Permission denied (13)", Path: "x\n\xff", Attempts: 6, NextRetry: at(-2 * time.Minute)}
	})
	r("bbs/p", replicate.StatePaused, func(v *replicate.Status) {
		v.Paused = &replicate.PauseStatus{Reason: "disk\x07", Until: at(-90 * time.Minute)}
	})
	r("bbs/q", replicate.StatePaused, func(v *replicate.Status) { v.Paused = &replicate.PauseStatus{} })
	r("bbs/f", replicate.StateFullSync, func(v *replicate.Status) {
		files, bytes, seconds := uint64(48210), int64(5<<30), 754.0
		v.FullSync = &replicate.FullSyncStatus{Reason: "new remote", Done: 1204, Total: 5000, FilesLeft: &files, BytesLeft: &bytes, SecondsLeft: &seconds}
	})
	r("new/a", replicate.StateStarting, func(*replicate.Status) {})
	r("new/b", replicate.StateFullSync, func(v *replicate.Status) {
		v.FullSync = &replicate.FullSyncStatus{Reason: "lost journal", Waiting: true}
	})
	r("new/c", replicate.StateSyncing, func(v *replicate.Status) {
		v.Failing = 1
		v.Limit, v.LimitUntil = 5<<20, at(-3*time.Hour)
	})
	r("new/d", replicate.StateInSync, func(v *replicate.Status) { v.LimitUntil = at(-20 * time.Minute) })
	return s
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

func TestText(t *testing.T) {
	golden(t, "testdata/busy.txt", busy().Text(false))
	down := New(now, FromJournal)
	down.Note = "the daemon is not running"
	down.Remotes = append(down.Remotes, replicate.Status{Name: "a/b", State: replicate.StateStarting})
	golden(t, "testdata/down.txt", down.Text(false))
}

func TestTextIsSafeForATerminal(t *testing.T) {
	for _, r := range busy().Text(false) {
		if r < 0x20 && r != '\n' || r == 0x7f {
			t.Fatalf("control character %q in\n%q", r, busy().Text(false))
		}
	}
}

func TestColourChangesNothingElse(t *testing.T) {
	s := busy()
	text := s.Text(true)
	for _, c := range []string{"\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"} {
		if !strings.Contains(text, c) {
			t.Errorf("no %q in %q", c, text)
		}
		text = strings.ReplaceAll(text, c, "")
	}
	if text != s.Text(false) {
		t.Errorf("without colour:\n%s", text)
	}
}

func TestJSON(t *testing.T) {
	doc, err := json.Marshal(busy())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"v":1,"time":"2026-11-22T08:00:00Z","source":"daemon"`,
		`"sample":"gbk\\xb1\\xa8","sample_b64":"Z2Jrsag="`,
		`"path":"x\\n\\xff","path_b64":"eAr/"`,
		`"unwatched_sample":["a\\x1b[2J","图片"]`,
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("%s is not in %s", want, doc)
		}
	}
	var back Status
	if err := json.Unmarshal(doc, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Remotes) != len(busy().Remotes) || back.Remotes[1].InFlight[1].Sample != "b" || back.Remotes[4].Error.ID != "E-DEST-PERM" {
		t.Errorf("read back: %+v", back.Remotes)
	}
}

func TestJSONListsAreNeverNull(t *testing.T) {
	doc, err := json.Marshal(Status{Sources: []Source{{}}, Remotes: []replicate.Status{{}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"unwatched_sample", "hints", "in_flight"} {
		if !strings.Contains(string(doc), `"`+list+`":[]`) {
			t.Errorf("%s is not an empty list in %s", list, doc)
		}
	}
	if doc, _ = json.Marshal(Status{}); !strings.Contains(string(doc), `"sources":[]`) || !strings.Contains(string(doc), `"remotes":[]`) {
		t.Errorf("%s", doc)
	}
}

func TestExitCodeAndVerdict(t *testing.T) {
	remotes := func(states ...replicate.State) Status {
		s := New(now, FromDaemon)
		for _, st := range states {
			s.Remotes = append(s.Remotes, replicate.Status{Name: "s/" + string(st), State: st})
		}
		return s
	}
	offline := remotes(replicate.StateInSync)
	offline.From = FromJournal
	unseen, again := remotes(replicate.StateInSync), remotes(replicate.StateInSync)
	unseen.Sources = []Source{{Name: "s", Status: watch.Status{State: watch.StateScanning}}}
	again.Sources = []Source{{Name: "s", Status: watch.Status{State: watch.StateScanning, Scans: 1}}}
	heldSource := remotes(replicate.StateInSync)
	heldSource.Sources = []Source{{Name: "s", Status: watch.Status{State: "held"}}}
	for _, c := range []struct {
		s       Status
		code    int
		verdict string
	}{
		{remotes(replicate.StateInSync), 0, "1 remote in sync"},
		{remotes(replicate.StateInSync, replicate.StateInSync), 0, "all 2 remotes in sync"},
		{remotes(replicate.StateInSync, replicate.StateSyncing), 3, "1 of 2 not in sync: s/syncing is syncing"},
		{remotes(replicate.StatePaused), 3, "1 of 1 not in sync: s/paused is paused"},
		{remotes(replicate.StateFullSync, replicate.StateStarting, replicate.StateRetrying), 3, "3 of 3 not in sync: s/full_sync is full sync, s/starting is starting, s/retrying is retrying"},
		{remotes(replicate.StateSyncing, replicate.StateHeld), 4, "1 needs you: s/held is held"},
		{remotes(replicate.StateFailing, replicate.StateInSync), 4, "1 needs you: s/failing is failing"},
		{unseen, 3, "1 remote in sync as far as is known: source s is still being scanned"},
		{again, 0, "1 remote in sync"},
		{heldSource, 4, "1 needs you: source s is held"},
		{offline, 3, "when it ended: 1 remote in sync"},
	} {
		if got := c.s.ExitCode(); got != c.code {
			t.Errorf("%+v: exit code %d, want %d", c.s.Remotes, got, c.code)
		}
		if got := c.s.Verdict().String(); got != c.verdict {
			t.Errorf("verdict %q, want %q", got, c.verdict)
		}
	}
}

func TestNewJournalNamesTheWorstPin(t *testing.T) {
	j := NewJournal(journal.Stats{DiskBytes: 9, Sources: []journal.SourceStats{
		{Name: "a", Head: 5, Entries: 1, PinnedBy: "x", Pinned: 0, OldestEntry: now},
		{Name: "b", Head: 7, Entries: 2, PinnedBy: "y", Pinned: 3, OldestEntry: now.Add(-time.Hour)},
	}}, 10)
	if j.HeadSeq != 12 || j.Entries != 3 || j.PinnedBy != "b/y" || !j.OldestEntry.Equal(now.Add(-time.Hour)) {
		t.Errorf("%+v", j)
	}
}

func TestHuman(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Count(0), "0"}, {Count(999), "999"}, {Count(88310), "88 310"}, {Count(uint64(1234567)), "1 234 567"}, {Count(-1234), "-1 234"},
		{Duration(-time.Second), "0s"}, {Duration(310 * time.Millisecond), "310 ms"}, {Duration(41 * time.Second), "41s"},
		{Duration(250 * time.Second), "4m10s"}, {Duration(time.Hour), "1h"}, {Duration(133 * time.Minute), "2h13m"}, {Duration(76 * time.Hour), "3d4h"},
		{Bytes(int64(1468006)), "1.4 MiB"}, {Bytes(int64(-1)), "-1 B"},
		{Ago(now, nil), "–"}, {Ago(now, at(time.Minute)), "1m"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestTableAlignsWideNames(t *testing.T) {
	tab := NewTable([]string{"NAME", "N", "END"}, 1)
	tab.Row("报表", "1", "x")
	tab.Row("abcdef", "1000", "y\n")
	want := "NAME       N  END\n报表       1  x\nabcdef  1000  y\\n\n"
	if got := tab.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNoteOfAVerify(t *testing.T) {
	remote := func(v replicate.VerifyStatus) replicate.Status {
		r := replicate.Status{Name: "www/nas", State: replicate.StateFailing, Verify: &v}
		r.Error = v.Diverged(r.Name)
		return r
	}
	for want, v := range map[string]replicate.VerifyStatus{
		"":                                     {Scheduled: at(time.Hour)},
		"verified 2h ago":                      {Last: at(2 * time.Hour), Complete: true},
		"verified 2h ago (img), not all of it": {Last: at(2 * time.Hour), Path: "img"},
		"verified 2h ago, 2 of 3 differences repaired":                                                 {Last: at(2 * time.Hour), Complete: true, Differences: 3, Repaired: 2},
		"verify: 7 of 1 200 directories, 1 difference":                                                 {Running: &replicate.VerifyProgress{Dirs: 7, TotalDirs: 1200, Differences: 1}, Last: at(time.Hour)},
		"E-DIVERGED 1 path differs from the source: gorsyncd verify www/nas --repair; verified 2h ago": {Unrepaired: 1, Last: at(2 * time.Hour), Complete: true},
	} {
		if got := note(now, Status{}, remote(v)); got != want {
			t.Errorf("note %q, want %q", got, want)
		}
	}
}

// TestManyKept: a hundred forgotten remotes must not push the rest off the screen.
func TestManyKept(t *testing.T) {
	s := New(now, FromDaemon)
	for range 100 {
		s.Kept = append(s.Kept, Kept{Name: "a/b", LagEntries: 1})
	}
	lines := s.Attention()
	if len(lines) != 11 || !strings.Contains(lines[10], "90 more") || !strings.Contains(lines[0], "keeps 1 entry for it: gorsyncd reload --forget a/b") {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

// TestRateAndRestCountWhatIsUnderWay: of a big file nothing is on the wire's account
// before it is there.
func TestRateAndRestCountWhatIsUnderWay(t *testing.T) {
	r := replicate.Status{State: replicate.StateSyncing, LagBytes: 100 << 20, Rate: 10, InFlight: []replicate.BatchStatus{
		{Kind: "big", Bytes: 90 << 20, BytesDone: 40 << 20, Rate: 10 << 20}, {Kind: "reconcile", BytesDone: 500 << 20, Rate: 5 << 20}}}
	if got := note(now, Status{}, r); got != "2 rsyncs, 60 MiB left, ~4s" {
		t.Errorf("%q", got)
	}
	if got := rate(r); got != "15 MiB/s" {
		t.Errorf("%q", got)
	}
	r.InFlight[0].BytesDone = 1 << 40
	if BytesLeft(r) != 0 {
		t.Error("less than nothing is left")
	}
}

// TestNobodyCanApproveAWantOfInstances: the remedy is that of the watcher.
func TestNobodyCanApproveAWantOfInstances(t *testing.T) {
	s := New(time.Now(), FromDaemon)
	src := Source{Name: "s", Status: watch.Status{State: "held", Held: "no inotify instance: too many open files", Hints: []string{"raise it"}}}
	s.Sources = []Source{src}
	if got := strings.Join(s.Attention(), "|"); src.Approvable() || strings.Contains(got, "approve") || !strings.Contains(got, "raise it") {
		t.Errorf("%s", got)
	}
	src.Held = "its root is empty"
	s.Sources = []Source{src}
	if got := strings.Join(s.Attention(), "|"); !src.Approvable() || !strings.Contains(got, "gorsyncd approve 's/*'") {
		t.Errorf("%s", got)
	}
}
