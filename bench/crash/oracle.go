package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"gorsyncd/bench/testbed"
)

// quietLimit is how long the copies may take to be equal once nothing is
// broken and nothing changes any more.
const quietLimit = 3 * time.Minute

// statusDoc is what the oracle reads of `status --json`.
type statusDoc struct {
	Remotes []struct {
		Name       string `json:"name"`
		State      string `json:"state"`
		LagEntries uint64 `json:"lag_entries"`
		Failing    int    `json:"failing"`
		Error      *struct {
			ID      string `json:"id"`
			Message string `json:"message"`
		} `json:"error"`
	} `json:"remotes"`
	Sources []struct {
		State     string `json:"state"`
		Held      string `json:"held"`
		Overflows uint64 `json:"overflows"`
		Unwatched int    `json:"unwatched"`
		Watches   int    `json:"watches"`
	} `json:"sources"`
}

func (w *world) status() (statusDoc, error) {
	var doc statusDoc
	out, _, err := w.daemon.Output("status", "--json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &doc)
	}
	return doc, err
}

// quiet waits until everything is on the remotes. The daemon is started again
// whenever it has ended, as a service manager would.
func (w *world) quiet() error {
	limit := max(quietLimit, w.row.patience)
	deadline := time.Now().Add(limit)
	why := ""
	for time.Now().Before(deadline) {
		if err := w.start(); err != nil {
			return err
		}
		out, code, err := w.daemon.Run("flush", "--timeout", "10s")
		if err != nil {
			return err
		}
		why = fmt.Sprintf("flush ends with %d: %s", code, out)
		if code == 0 {
			doc, err := w.status()
			if err == nil && doc.inSync() {
				return nil
			}
			why = fmt.Sprintf("status: %+v %v", doc, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("no quiet within %s: %s", limit, why)
}

func (d *statusDoc) inSync() bool {
	for _, r := range d.Remotes {
		if r.State != "in_sync" || r.LagEntries != 0 || r.Failing != 0 {
			return false
		}
	}
	return len(d.Remotes) > 0
}

// judge compares everything. Nothing may be changing.
func (w *world) judge() []string {
	want, err := testbed.Snapshot(w.src, testbed.Options{Xattrs: true})
	if err != nil {
		return []string{err.Error()}
	}
	var wg sync.WaitGroup
	of := make([][]string, len(w.remotes))
	for i, r := range w.remotes {
		wg.Go(func() { of[i] = w.judgeRemote(want, r) })
	}
	wg.Wait()
	bad := append(slices.Concat(of...), w.watch.take()...)
	if out, code, err := w.daemon.Run("journal", "check"); err != nil || code != 0 {
		bad = append(bad, fmt.Sprintf("journal check: exit %d, %v: %s", code, err, out))
	}
	return bad
}

// judgeRemote compares a remote with the source. A probe that happens to be under
// way is waited for, with the stamp of the root that follows it.
func (w *world) judgeRemote(want map[string]testbed.Node, r *remote) []string {
	bad := w.compareRemote(want, r)
	probing := slices.ContainsFunc(bad, func(s string) bool { return strings.Contains(s, ".gorsyncd-probe") })
	for i := 0; probing && len(bad) > 0 && i < 100; i++ {
		time.Sleep(200 * time.Millisecond)
		bad = w.compareRemote(want, r)
	}
	return bad
}

func (w *world) compareRemote(want map[string]testbed.Node, r *remote) (bad []string) {
	got, err := testbed.Snapshot(r.path, testbed.Options{Xattrs: true})
	if err != nil {
		return []string{err.Error()}
	}
	for _, d := range testbed.Diff(want, got) {
		bad = append(bad, r.name+": "+d)
	}
	bad = append(bad, leftovers(r.path)...)
	return append(bad, w.secondOpinion(r)...)
}

// secondOpinion asks rsync itself.
func (w *world) secondOpinion(r *remote) []string {
	cmd := exec.Command("rsync", "-aniHAXc", "--delete", "--modify-window=-1", w.src+"/", r.path+"/")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if err == nil && out.Len() == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: rsync finds (%v): %s%s", r.name, err, out.String(), errOut.String())}
}

var tempName = regexp.MustCompile(`^\..+\.[A-Za-z0-9]{6}$`)

func leftovers(dir string) []string {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (tempName.MatchString(d.Name()) && !strings.HasSuffix(d.Name(), ".swp") || d.Name() == ".gorsyncd-partial") {
			out = append(out, "left behind: "+path)
		}
		return err
	})
	if err != nil {
		out = append(out, err.Error())
	}
	return out
}
