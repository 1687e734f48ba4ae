package offline

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/replicate"
)

// Report sums up the histories that the daemon left, and what fails by the
// journal.
func (v *View) Report(c *config.Config, q control.ReportRequest, now time.Time) (control.Report, error) {
	out := control.Report{Source: "files", Since: q.Since.UTC(), Until: now.UTC(), Remotes: []control.RemoteReport{}}
	chosen, err := control.Select(q.Names, c.RemoteNames())
	if err != nil {
		return out, err
	}
	for _, sc := range c.Sources {
		for _, rc := range sc.Remotes {
			name := sc.FullName(rc)
			if !slices.Contains(chosen, name) {
				continue
			}
			l, err := history.Load(filepath.Join(history.Dir(c.StateDir), name))
			if err != nil {
				return out, err
			}
			rep := control.RemoteReport{Remote: name, Sum: l.Sum(q.Since, now)}
			if q.Spans {
				rep.Spans = l.Spans(q.Since, now)
			}
			if err := v.fails(&rep, sc.Name, rc.Name, now); err != nil {
				return out, fmt.Errorf("report of %s: %w", name, err)
			}
			out.Remotes = append(out.Remotes, rep)
		}
	}
	return out, nil
}

// fails adds to a report what the journal knows.
func (v *View) fails(rep *control.RemoteReport, source, remote string, now time.Time) error {
	rep.SetFailing(nil)
	src, rem, err := v.find(source, remote)
	if err != nil || rem == nil {
		return err
	}
	retries, err := rem.Retries()
	if err != nil {
		return err
	}
	rep.SetFailing(retries)
	var st replicate.Status
	err = v.lag(&st, src, rem, now)
	rep.BehindNow = st.LagSeconds
	return err
}
