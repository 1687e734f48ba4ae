// Package doctor looks at what a configuration needs, before or while gorsyncd
// runs, and names a remedy for each thing that is not as it should be. It changes
// nothing.
//
//	for _, f := range doctor.Look(ctx, conf, doctor.Options{Reach: daemon.Reach}) { … }
package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/replicate"
)

// Level says how a finding is to be taken.
type Level string

const (
	OK   Level = "ok"
	Warn Level = "warn" // it works, less well or less safely
	Fail Level = "fail" // it does not
)

// Finding is one thing that was looked at.
type Finding struct {
	Level  Level  `json:"level"`
	About  string `json:"about"` // such as rsync, state_dir, source www, www/nas
	ID     string `json:"id"`    // of the error, see the guide on errors; "" for none
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
}

// Options are what Look needs besides the configuration.
type Options struct {
	Reach func(context.Context, config.Remote) replicate.Reached
	// Expires tells when a certificate of a remote ends; the zero time for none.
	Expires func(context.Context, config.Remote) (time.Time, error)
	Running bool // the daemon answers
	// Found is what the daemon has found that remotes do not keep, by source/remote.
	Found map[string][]replicate.FindingStatus
	Root  bool // this process has the rights of root
	// Credentials is the directory of the service's credentials; "" for a process
	// that has none.
	Credentials string
}

// atOnce is how many remotes are asked side by side.
const atOnce = 8

// Look looks at everything. The order is that of the configuration.
func Look(ctx context.Context, c *config.Config, o Options) []Finding {
	list := []Finding{process(o)}
	list = append(list, local(ctx, c)...)
	list = append(list, stateDir(c)...)
	list = append(list, limits()...)
	list = append(list, unit(c, o)...)
	for _, s := range c.Sources {
		list = append(list, source(s, o)...)
	}
	list = append(list, Remotes(ctx, c, o)...)
	return append(list, notifiers(c, o)...)
}

func process(o Options) Finding {
	switch {
	case o.Running:
		return Finding{Level: OK, About: "daemon", Text: "is running"}
	default:
		return Finding{Level: Warn, About: "daemon", Text: "is not running", Remedy: "gorsyncd run, or: systemctl start gorsyncd"}
	}
}

// Remotes asks all of them whether they would take what is sent.
func Remotes(ctx context.Context, c *config.Config, o Options) []Finding {
	type asked struct {
		name string
		cfg  config.Remote
	}
	var all []asked
	for _, s := range c.Sources {
		for _, r := range s.Remotes {
			all = append(all, asked{s.FullName(r), r})
		}
	}
	out := make([][]Finding, len(all))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, a := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if needs := a.cfg.Credentials(); len(needs) > 0 && o.Credentials == "" {
				out[i] = []Finding{unasked(a.name, needs)}
				return
			}
			f := remote(a.name, o.Reach(ctx, a.cfg))
			out[i] = append([]Finding{f}, kept(a.name, o.Found[a.name])...)
			if f.Level != Fail && o.Expires != nil {
				end, err := o.Expires(ctx, a.cfg)
				out[i] = append(out[i], certificate(a.name, end, err, time.Now())...)
			}
		})
	}
	wg.Wait()
	return slices.Concat(out...)
}

// soon is how long before its end a certificate is spoken of.
const soon = 30 * 24 * time.Hour

// certificate is about the end of one.
func certificate(name string, end time.Time, err error, now time.Time) []Finding {
	switch {
	case err != nil:
		return []Finding{{Level: Warn, About: name, Text: err.Error(), Remedy: "try again"}} // rsync has just been there
	case end.IsZero() || end.Sub(now) > soon:
		return nil
	}
	return []Finding{{Level: Warn, About: name, Text: fmt.Sprintf("a certificate ends on %s, in %d days: the server's, or tls.cert_file", end.Local().Format(time.DateOnly), int(end.Sub(now).Hours()/24)),
		Remedy: "renew it; gorsyncd reads its own with the next connection"}}
}

// kept is what the daemon's probe has found, but for old versions, which Reach has
// asked for as well.
func kept(name string, found []replicate.FindingStatus) []Finding {
	var list []Finding
	for _, f := range found {
		if f.ID != "W-RSYNC-OLD" {
			list = append(list, Finding{Level: Warn, About: name, ID: f.ID, Text: f.Message, Remedy: f.Remedy})
		}
	}
	return list
}

// unasked is for a remote that needs what only the service has.
func unasked(name string, credentials []string) Finding {
	slices.Sort(credentials)
	list := strings.Join(credentials, ", ")
	return Finding{Level: Warn, About: name, Text: "was not asked: only the service has the credential " + list,
		Remedy: "gorsyncd status tells how the service fares; or run doctor with LoadCredential=, see: gorsyncd docs service"}
}

func remote(name string, got replicate.Reached) Finding {
	f := Finding{Level: OK, About: name}
	switch out := got.Outcome; {
	case out.Class == replicate.ClassOK && got.Version == "":
		f.Text = fmt.Sprintf("can be written to; answered in %d ms", got.Took.Milliseconds())
	case out.Class == replicate.ClassOK && replicate.OldVersion(got.Version):
		f.Level, f.ID = Warn, "W-RSYNC-OLD"
		f.Text = fmt.Sprintf("can be written to, by rsync %s, which has known faults", got.Version)
		f.Remedy = "install rsync 3.4.4 or newer there"
	case out.Class == replicate.ClassOK:
		f.Text = fmt.Sprintf("can be written to, by rsync %s; answered in %d ms", got.Version, got.Took.Milliseconds())
	default:
		f.Level, f.ID, f.Text, f.Remedy = Fail, out.ID, out.Message, out.Hint
	}
	return f
}
