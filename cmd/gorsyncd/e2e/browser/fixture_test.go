package browser

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// hostile are names that a page must show as text.
var hostile = []string{"<img src=x onerror=alert(1)>", "esc\x1b[31mred", "two\nlines", "gbk\xb1\xa8\xb1\xed.xls", "报表/二零二六.xlsx", "a\u202egpj.exe"}

// busy has everything on the page.
func busy(now time.Time) status.Status {
	at := func(ago time.Duration) *time.Time { t := now.Add(-ago).UTC(); return &t }
	s := status.New(now, status.FromDaemon)
	s.Daemon = &status.Daemon{Version: "1.0.0", PID: 7, UptimeSeconds: 273600, ConfigFile: "/etc/gorsyncd/gorsyncd.yaml", LastReload: at(26 * time.Hour), NeedsRestart: []string{}}
	s.Journal = status.Journal{HeadSeq: 184223, Entries: 90214, SizeBytes: 214 << 20, MaxBytes: 1 << 30, PinnedBy: "www/nas", OldestEntry: at(133 * time.Minute)}
	s.Sources = []status.Source{
		{Name: "www", Status: watch.Status{Root: "/data0/www", State: "watching", Backend: "inotify", Dirs: 12412, Watches: 12412, WatchLimit: 65536,
			Fallbacks: []string{"inotify is used: fanotify needs CAP_SYS_ADMIN"}, Overflows: 1}},
		{Name: "bbs", Status: watch.Status{Root: "/data0/bbs", State: "watching", Backend: "inotify", Dirs: 311, Watches: 311, WatchLimit: 65536}},
	}
	add := func(name string, st replicate.State, more func(*replicate.Status)) {
		source, remote, _ := strings.Cut(name, "/")
		r := replicate.Status{Name: name, Source: source, Remote: remote, State: st, Target: "rsync://" + remote + ".example.net/" + source, InFlight: []replicate.BatchStatus{}, Findings: []replicate.FindingStatus{}}
		if more != nil {
			more(&r)
		}
		s.Remotes = append(s.Remotes, r)
	}
	add("www/web1", replicate.StateInSync, func(r *replicate.Status) {
		r.LastSuccess = at(2 * time.Second)
		r.Verify = &replicate.VerifyStatus{Last: at(5 * time.Hour), Complete: true}
	})
	add("www/dr", replicate.StateSyncing, func(r *replicate.Status) {
		r.LagEntries, r.LagSeconds, r.LagBytes, r.Rate, r.LastSuccess = 1204, 41.3, 65011712, 8493465, at(time.Second)
		r.InFlight = []replicate.BatchStatus{
			{ID: 5121, Kind: "list", Paths: 412, Bytes: 31 << 20, BytesDone: 12 << 20, Rate: 6 << 20, Started: *at(3 * time.Second), Sample: "img/logo.png",
				Current: &replicate.FileProgress{Path: "upload/2026/报表.xlsx", Size: 9 << 20, Done: 4 << 20}},
			{ID: 5122, Kind: "big", Paths: 1, Bytes: 4 << 30, BytesDone: 3 << 29, Rate: 2 << 20, Started: *at(11 * time.Minute), Sample: "backup/db.tar",
				Current: &replicate.FileProgress{Path: "backup/db.tar", Size: 4 << 30, Done: 3 << 29}},
		}
	})
	add("www/nas", replicate.StateRetrying, func(r *replicate.Status) {
		r.LagEntries, r.LagSeconds, r.LastSuccess = 88310, 7980.2, at(133*time.Minute)
		r.Error = &replicate.StatusError{ID: "E-CONNECT", Class: replicate.ClassTransient, RsyncExit: 10, Message: "failed to connect to nas.example.net (192.0.2.7): Connection refused (111)", Hint: "is the rsync daemon running, and does a firewall let port 873 through?", Attempts: 19, NextRetry: at(-250 * time.Second)}
	})
	add("www/mirror", replicate.StateFullSync, func(r *replicate.Status) {
		files, bytes, seconds := uint64(48210), int64(5<<30), 754.0
		r.LagEntries, r.LagSeconds, r.Rate = 3, 12, 3<<20
		r.FullSync = &replicate.FullSyncStatus{Reason: "new remote", Started: *at(9 * time.Minute), Done: 1204, Total: 5000, FilesLeft: &files, BytesLeft: &bytes, SecondsLeft: &seconds}
	})
	add("bbs/web1", replicate.StateHeld, func(r *replicate.Status) {
		r.LagEntries, r.LagSeconds, r.LastSuccess = 31, 360, at(6*time.Minute)
		r.Held = &replicate.HeldStatus{Reason: "G-MAXDELETE would delete 14022 files (limit 1000)", Since: *at(6 * time.Minute)}
	})
	add("bbs/web2", replicate.StateFailing, func(r *replicate.Status) {
		r.LagEntries, r.LagSeconds, r.Failing, r.LastSuccess = 2, 8130, 2, at(4*time.Second)
		r.Error = &replicate.StatusError{ID: "E-DEST-PERM", Message: "mkstemp: Permission denied (13)", Path: hostile[0] + hostile[3], Hint: "let the user of the module write there", Attempts: 6, NextRetry: at(-2 * time.Minute)}
	})
	add("bbs/archive", replicate.StatePaused, func(r *replicate.Status) {
		r.LagEntries, r.LagSeconds, r.LastSuccess = 402, 5400, at(90*time.Minute)
		r.Paused = &replicate.PauseStatus{Reason: "disk swap", Until: at(-30 * time.Minute)}
	})
	s.Sinks = []sink.Status{{Name: "bbs/search", Source: "bbs", Sink: "search", Kind: "http", Target: "http://127.0.0.1:9200/hook", State: replicate.StateInSync, LastSuccess: at(30 * time.Second)}}
	s.Notifiers = []notify.Status{
		{Name: "ops", Kind: "dingtalk", Target: "https://oapi.dingtalk.com", State: notify.StateOK, LastSuccess: at(3 * time.Hour)},
		{Name: "mail", Kind: "email", Target: "smtp.example.com:587", State: notify.StateFailing, ErrorID: "E-NOTIFY-CONNECT", LastError: "dial tcp 192.0.2.9:587: i/o timeout", Failures: 3, NextRetry: at(-time.Minute)},
	}
	s.Kept = []status.Kept{{Name: "www/old", Source: "www", Remote: "old", LagEntries: 12040, LagSeconds: 11000}}
	return s
}

// calm has nothing to complain of.
func calm(now time.Time) status.Status {
	s := busy(now)
	s.Kept, s.Sinks, s.Notifiers = []status.Kept{}, []sink.Status{}, s.Notifiers[:1]
	s.Sources[0].Fallbacks, s.Sources[0].Overflows = nil, 0
	for i := range s.Remotes {
		r := &s.Remotes[i]
		*r = replicate.Status{Name: r.Name, Source: r.Source, Remote: r.Remote, Target: r.Target, State: replicate.StateInSync, LastSuccess: r.LastSuccess, InFlight: []replicate.BatchStatus{}, Findings: []replicate.FindingStatus{}}
	}
	return s
}

// furnish gives the stage the rest of what busy talks of.
func (st *stage) furnish(now time.Time) {
	st.lag = map[string][]*float64{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, r := range st.status.Remotes {
		hour := make([]*float64, 360)
		for j := range hour {
			v := 0.0
			switch {
			case r.Name == "www/nas" && j > 60:
				v = float64(j-60) * 26
			case r.Name == "www/nas":
			case r.Name == "www/mirror" && j < 300:
				continue
			default:
				v = 6 * math.Pow(rnd.Float64(), 6) * float64(1+i)
			}
			hour[j] = &v
		}
		st.lag[r.Name] = hour
	}
	for i, name := range hostile {
		next := now.Add(time.Duration(30+i*20) * time.Second).UTC()
		st.entries = append(st.entries, control.EntryOf{Remote: "bbs/web2", Source: "bbs", Path: names.NewPath(name), State: "failing", Seq: uint64(183990 + i), Op: "change",
			Attempts: 6 + i, Next: &next, ErrorID: "E-DEST-PERM", Message: "mkstemp: Permission denied (13)"})
	}
	for i := range 60 {
		t := now.Add(time.Duration(i-60) * 7 * time.Second).UTC()
		p := names.NewPath(fmt.Sprintf("upload/2026/11/img%04d.jpg", i))
		if i%9 == 4 {
			p = names.NewPath(hostile[i/9%len(hostile)])
		}
		l := events.Line{Event: events.KindEntry, Source: "www", Seq: uint64(184163 + i), Op: "change", Path: &p, Time: &t}
		if i%11 == 5 {
			l.Op, l.Count = "remove", uint64(i)
		}
		st.lines = append(st.lines, l)
	}
	n := uint64(14022)
	st.held = control.Held{Reason: "G-MAXDELETE would delete 14022 files (limit 1000)", Count: &n, First: names.NewPaths(hostile)}
}
