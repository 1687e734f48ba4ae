package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/screen"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/cmd/gorsyncd/internal/tty"
)

const (
	// lagEvery is how often the lags of the last hour are asked for: a daemon notes
	// one as often.
	lagEvery = 10 * time.Second
	// failingEvery is the same for failing paths, which are more work.
	failingEvery = 15 * time.Second
)

// watchScreen is status --watch on a terminal.
type watchScreen struct {
	app    *app
	c      *cli.Context
	colour bool
	tty    *tty.Screen
	view   screen.View
	since  time.Time // since when the daemon does not answer; zero while it does
	most   int       // how far the screen can be scrolled
}

// news is what one round of questions brought.
type news struct {
	status  status.Status
	lag     screen.Lag
	failing []screen.FailingPath
	err     error // of the status: the others are of less importance
}

// run shows the screen until ctx ends or the user ends it.
func (w *watchScreen) run(ctx context.Context, out *os.File) (err error) {
	w.tty, err = tty.Open(out, os.Stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.tty.Close()) }()
	// Asking may take a while; keys are not to wait for it.
	asking, stop := context.WithCancel(ctx)
	defer stop()
	answers := make(chan news)
	go w.ask(asking, answers)
	for {
		if err := w.draw(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return silent(control.ExitInterrupted)
		case n := <-answers:
			if err := w.take(n); err != nil {
				return err
			}
		case k := <-w.tty.Keys():
			if k == tty.KeyQuit {
				return nil
			}
			w.scroll(k)
		case <-w.tty.Resized():
		case <-w.tty.Stopped():
			if err := w.tty.Suspend(); err != nil {
				return err
			}
		}
	}
}

// ask sends news every second until ctx ends.
func (w *watchScreen) ask(ctx context.Context, answers chan<- news) {
	var n news
	var lagDue, failingDue time.Time
	for {
		n.status, n.err = w.app.readStatus(ctx, w.c)
		now := w.app.now()
		if n.err == nil && !now.Before(lagDue) {
			n.lag, lagDue = w.pastLag(ctx), now.Add(lagEvery)
		}
		if n.err == nil && !now.Before(failingDue) {
			n.failing, failingDue = w.failing(ctx, n.status), now.Add(failingEvery)
		}
		select {
		case answers <- n:
		case <-ctx.Done():
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchEvery):
		}
	}
}

// pastLag is nothing when the daemon does not tell, such as an older one.
func (w *watchScreen) pastLag(ctx context.Context) screen.Lag {
	l, err := client(w.c).PastLag(ctx)
	if err != nil {
		return screen.Lag{}
	}
	return screen.Lag{Every: l.Every(), Series: l.Remotes}
}

// failing are the paths that have failed most often, of those remotes that have any.
func (w *watchScreen) failing(ctx context.Context, s status.Status) []screen.FailingPath {
	q := control.ReportRequest{Since: s.Time}
	for _, r := range s.Remotes {
		if r.Failing > 0 {
			q.Names = append(q.Names, r.Name)
		}
	}
	if len(q.Names) == 0 {
		return nil
	}
	rep, err := client(w.c).Report(ctx, q)
	if err != nil {
		return nil // the status says that there are some
	}
	var list []screen.FailingPath
	for _, r := range rep.Remotes {
		for _, p := range r.Worst {
			path, err := p.Raw()
			if err != nil {
				path = p.Text
			}
			list = append(list, screen.FailingPath{Remote: r.Remote, Path: path, ErrorID: p.ErrorID, Message: p.Message, Attempts: p.Attempts})
		}
	}
	return list
}

// take notes what is new. A daemon that is away is waited for.
func (w *watchScreen) take(n news) error {
	if n.err != nil && !unreachable(n.err) {
		return n.err
	}
	if n.err != nil {
		now := w.app.now()
		if w.since.IsZero() {
			w.since = now
		}
		w.view.Notice = fmt.Sprintf("%v; waiting for it since %s", n.err, status.Duration(now.Sub(w.since)))
		if w.view.Status.V != 0 {
			w.view.Notice += ". This is what it said last:"
		}
		return nil
	}
	w.since, w.view.Notice = time.Time{}, ""
	w.view.Status, w.view.Lag, w.view.Failing, w.view.Now = n.status, n.lag, n.failing, n.status.Time
	return nil
}

func (w *watchScreen) scroll(k tty.Key) {
	page := max(1, w.view.Height/2)
	step := map[tty.Key]int{tty.KeyUp: -1, tty.KeyDown: 1, tty.KeyPageUp: -page, tty.KeyPageDown: page, tty.KeyHome: -w.view.Scroll}[k]
	w.view.Scroll = min(max(0, w.view.Scroll+step), w.most)
}

func (w *watchScreen) draw() error {
	w.view.Width, w.view.Height = w.tty.Size()
	f := screen.Render(w.view)
	w.most = f.MaxScroll
	w.view.Scroll = min(w.view.Scroll, w.most)
	lines := make([]string, 0, len(f.Lines))
	for _, l := range f.Lines {
		lines = append(lines, l.Text(w.colour))
	}
	return w.tty.Draw(lines)
}
