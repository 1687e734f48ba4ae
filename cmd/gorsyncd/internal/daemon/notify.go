package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/notify/channel"
	"gorsyncd/cmd/gorsyncd/internal/notify/judge"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// How often notifiers look: while something may be about to be told, and when
// nothing has been wrong for a while. To make a status wakes every remote.
const (
	lookEvery = 2 * time.Second
	restLook  = 5 * time.Second
)

// teller is a notifier or a heart.
type teller interface {
	Run(ctx context.Context) error
	Look(v notify.View)
	Status() notify.Status
	Busy() bool
}

// bell is one configured notifier at work.
type bell struct {
	cfg    config.Notify
	teller teller
	judge  *judge.Judge
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended

	last time.Time // of its last look; of the goroutine that looks
}

// notifyDir is where notifiers keep what they have announced.
func (d *Daemon) notifyDir() string { return filepath.Join(d.config().StateDir, "notify") }

func (d *Daemon) notifyFile(name string) string { return filepath.Join(d.notifyDir(), name+".json") }

// NewChannel is how a notifier reaches its receiver, with credentials taken from dir.
func NewChannel(n config.Notify, dir string) notify.Channel {
	n = n.Located(dir)
	switch n.Kind {
	case "command":
		return &channel.Command{Argv: config.Texts(n.Command)}
	case "email":
		e := n.Email
		return &channel.Email{Server: e.Server, TLS: e.TLS, From: e.From, To: config.Texts(e.To), User: e.User, PasswordFile: e.PasswordFile, Auth: e.Auth, CAFile: e.CAFile}
	}
	w := n.Webhook
	return &channel.Webhook{Format: w.Format, URL: w.URL, URLFile: w.URLFile, SecretFile: w.SecretFile, Headers: config.Texts(w.Headers), HeadersFile: w.HeadersFile, CAFile: w.CAFile}
}

// HostName is what messages call this machine.
func HostName() string {
	h, err := os.Hostname()
	if err != nil || h == "" {
		return "localhost"
	}
	return h
}

func rulesOf(n config.Notify) notify.Rules {
	r := notify.Rules{After: n.After, Repeat: n.Repeat, Grace: n.Grace}
	for _, word := range config.Texts(n.On) {
		if word == notify.Recovered {
			r.Recovered = true
			continue
		}
		r.On = append(r.On, notify.Kind(word))
	}
	return r
}

// startBell begins one; what it announced before is in its file.
func (d *Daemon) startBell(n config.Notify) *bell {
	b := &bell{cfg: n, judge: judge.New(judge.Options{Remotes: config.Texts(n.Remotes), MaxLag: n.MaxLag}), done: make(chan struct{})}
	o := notify.Options{
		Name: n.Name, Kind: n.Kind, Channel: NewChannel(n, CredentialsDir()), Timeout: n.Timeout, Host: HostName(), Language: notify.Language(n.Language), Logger: d.log,
		Retry: notify.Retry{Initial: n.Retry.Initial, Max: n.Retry.Max, Jitter: n.Retry.Jitter},
		Rules: rulesOf(n), StateFile: d.notifyFile(n.Name), Every: n.Heartbeat, Flatline: n.Fail,
	}
	if n.Heartbeat > 0 {
		b.teller = notify.NewHeart(o)
	} else {
		b.teller = notify.New(o)
	}
	ctx, cancel := context.WithCancel(d.hard)
	b.cancel = cancel
	go func() {
		defer close(b.done)
		_ = b.teller.Run(ctx) // ends only with ctx
	}()
	return b
}

func (b *bell) stop() {
	b.cancel()
	<-b.done
}

// allBells is a snapshot of those that run, in the order of the configuration.
func (d *Daemon) allBells() []*bell {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.bells)
}

// setBells makes those that run match the configuration: one that has not changed goes
// on. It holds reloading, or runs before anything else does.
func (d *Daemon) setBells(next []config.Notify) {
	old := d.allBells()
	bells := make([]*bell, 0, len(next))
	for _, b := range old {
		if !slices.ContainsFunc(next, func(n config.Notify) bool { return b.cfg.Same(n) }) {
			b.stop()
		}
	}
	for _, n := range next {
		if i := slices.IndexFunc(old, func(b *bell) bool { return b.cfg.Same(n) }); i >= 0 {
			bells = append(bells, old[i])
			continue
		}
		bells = append(bells, d.startBell(n))
	}
	d.forgetBells(next)
	d.mu.Lock()
	d.bells = bells
	d.mu.Unlock()
}

// forgetBells removes what notifiers that are no longer configured have announced.
func (d *Daemon) forgetBells(next []config.Notify) {
	files, _ := filepath.Glob(d.notifyFile("*")) // none when there is no directory
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if slices.ContainsFunc(next, func(n config.Notify) bool { return n.Name == name }) {
			continue
		}
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.log.Warn("cannot remove what a notifier has announced", "notifier", name, "error", err)
		}
	}
}

func (d *Daemon) stopBells() {
	bells := d.allBells()
	for _, b := range bells {
		b.cancel()
	}
	for _, b := range bells {
		<-b.done
	}
}

// lookOut has notifiers look at the status until ctx ends.
func (d *Daemon) lookOut(ctx context.Context) {
	for {
		wait := restLook
		if bells := d.allBells(); len(bells) > 0 {
			wait = d.lookOnce(ctx, bells)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// lookOnce returns when to look again.
func (d *Daemon) lookOnce(ctx context.Context, bells []*bell) time.Duration {
	s, err := d.Status(ctx)
	if err != nil || ctx.Err() != nil {
		return lookEvery
	}
	wait, now, loops := restLook, time.Now(), d.loops()
	for _, b := range bells {
		elapsed := time.Duration(0)
		if !b.last.IsZero() {
			elapsed = now.Sub(b.last)
		}
		b.last = now
		b.teller.Look(b.judge.Look(elapsed, &s, judge.Daemon{Crashed: d.starts.crashed(), Unknown: loops.Unknown}))
		if b.teller.Busy() {
			wait = lookEvery
		}
	}
	return wait
}

// warnOfNotifiers names secrets of notifiers that cannot be read, before they are
// needed.
func (d *Daemon) warnOfNotifiers(c *config.Config) {
	for _, n := range c.Notify {
		n := n.Located(CredentialsDir())
		for _, file := range []string{n.Webhook.URLFile, n.Webhook.SecretFile, n.Webhook.HeadersFile, n.Email.PasswordFile} {
			if file == "" {
				continue
			}
			if _, err := outbound.ReadSecret(file); err != nil {
				d.log.Warn("a notifier will fail", "error_id", "E-NOTIFY-SECRET", "notifier", n.Name, "error", err)
			}
		}
	}
}

// notifiers compares those of the configuration in force with those of the next one.
func (p *planner) notifiers(running []*bell) {
	for _, n := range p.next.Notify {
		name := "notify " + n.Name
		i := slices.IndexFunc(running, func(b *bell) bool { return b.cfg.Name == n.Name })
		switch {
		case i < 0:
			p.change(name, control.Added, "added")
		case !running[i].cfg.Same(n):
			p.change(name, control.Restarted, "changed; what it has announced stays so")
		default:
			p.change(name, control.Unchanged, "unchanged")
		}
	}
	for _, b := range running {
		if !slices.ContainsFunc(p.next.Notify, func(n config.Notify) bool { return n.Name == b.cfg.Name }) {
			p.change("notify "+b.cfg.Name, control.Removed, "removed")
		}
	}
}
