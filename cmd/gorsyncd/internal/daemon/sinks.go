package daemon

import (
	"context"
	"fmt"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// reader is one sink at work.
type reader struct {
	cfg    config.Sink
	name   string   // source/sink
	gates  []string // names of the remotes that it waits for
	store  *journal.Remote
	sink   *sink.Sink
	cancel context.CancelFunc // cuts it off
	done   chan struct{}      // closed when it has ended
}

// startSinks starts the sinks of a unit whose remotes have been started.
func (d *Daemon) startSinks(u *unit, sc config.Source) ([]*reader, error) {
	var out []*reader
	for _, kc := range sc.Sinks {
		r, err := d.startSink(u, sc, kc)
		if err != nil {
			stopReaders(out)
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func stopReaders(list []*reader) {
	for _, r := range list {
		r.cancel()
	}
	for _, r := range list {
		<-r.done
	}
}

func (d *Daemon) startSink(u *unit, sc config.Source, kc config.Sink) (*reader, error) {
	name := sc.FullSinkName(kc)
	var store *journal.Remote
	err := d.patience.until(d.soft, func() (err error) {
		store, err = u.src.Remote(sink.JournalName(kc.Name))
		return err
	})
	if err == nil {
		err = d.prepareSink(store, name)
	}
	if err != nil {
		return nil, fmt.Errorf("open sink %s in the journal: %w", name, err)
	}
	r := &reader{cfg: kc, name: name, store: store, gates: gateNames(sc, kc), done: make(chan struct{})}
	o := sinkOptions(sc, kc)
	o.Clock = d.journal
	o.JournalID, o.Feed, o.Store, o.Ready, o.Logger = d.journal.ID(), u.src, patientRemote{store, &d.patience}, u.tree.Ready(), d.log
	for _, g := range r.gates {
		gate, err := u.src.Remote(g)
		if err != nil {
			return nil, fmt.Errorf("open remote %s/%s for the sink %s: %w", sc.Name, g, name, err)
		}
		o.Gates = append(o.Gates, gate)
	}
	if r.sink, err = sink.New(o); err != nil {
		return nil, fmt.Errorf("sink %s: %w", name, err)
	}
	ctx, cancel := context.WithCancel(d.hard)
	r.cancel = cancel
	go func() {
		defer close(r.done)
		d.fail(r.sink.Run(ctx))
	}()
	return r, nil
}

// prepareSink has a new sink begin at the head. The journal asks a full sync of
// whoever is new to it; where it is new itself in place of a lost one, what the sink
// has missed is not known.
func (d *Daemon) prepareSink(store *journal.Remote, name string) error {
	f := store.FullSync()
	if f == nil || f.Reason != journal.NewRemote {
		return nil
	}
	up := journal.Update{EndFullSync: true}
	if d.lost {
		up = journal.Update{FullSync: &journal.FullSync{Reason: "journal lost", Started: time.Now(), Behind: d.journal.Now()}}
	} else {
		d.log.Info("new sink: it is told what changes from now on", "sink", name)
	}
	return d.patience.until(d.soft, func() error { return store.Commit(d.soft, up) })
}

// gateNames are the remotes that a sink waits for.
func gateNames(sc config.Source, kc config.Sink) []string {
	by, acked := kc.AckedBy()
	switch {
	case !acked:
		return nil
	case by != "":
		return []string{by}
	}
	var out []string
	for _, r := range sc.Remotes {
		out = append(out, r.Name)
	}
	return out
}

// sinkOptions translates the configuration.
func sinkOptions(sc config.Source, kc config.Sink) sink.Options {
	return sink.Options{
		Source: sc.Name, Name: kc.Name, Kind: string(kc.Kind), Delivery: delivery(sc, kc),
		Filter: kc.Filter, Ops: config.Texts(kc.Ops), Directories: kc.Directories, Below: kc.Kind == config.SinkCDN,
		Batch: kc.Batch, Gather: kc.Gather,
		Retry: replicate.RetryOptions{Initial: kc.Retry.Initial, Max: kc.Retry.Max, Jitter: kc.Retry.Jitter},
	}
}

func delivery(sc config.Source, kc config.Sink) sink.Delivery {
	limits := sink.Limits{Timeout: kc.Timeout, PerSecond: kc.Rate}
	sersync := kc.Format == config.FormatSersync
	switch kc.Kind {
	case config.SinkCommand:
		return &sink.Command{Argv: config.Texts(kc.Command), JSON: kc.Format == config.FormatJSON, Limits: limits,
			Source: sc.Name, Sink: kc.Name, Root: sc.Path}
	case config.SinkHTTP:
		h := kc.HTTP
		return &sink.HTTP{URL: h.URL, Method: h.Method, Headers: config.Texts(h.Headers), HeadersFile: h.HeadersFile, SecretFile: h.SecretFile,
			Sersync: sersync, Limits: limits, Source: sc.Name, Sink: kc.Name, Root: sc.Path}
	case config.SinkCDN:
		c := kc.CDN
		return &sink.CDN{Sites: config.Texts(c.Site), URL: c.URL, Method: c.Method, Body: c.Body, Headers: config.Texts(c.Headers),
			HeadersFile: c.HeadersFile, User: c.User, PasswordFile: c.PasswordFile, Missing: c.Preset == "purge", Limits: limits, Batch: kc.Batch}
	case config.SinkUnix:
		return &sink.Socket{Network: "unix", Address: kc.Unix, Sersync: sersync, Reply: kc.Reply, Limits: limits, Root: sc.Path}
	}
	return &sink.Socket{Network: "tcp", Address: kc.TCP, Sersync: sersync, Reply: kc.Reply, Limits: limits, Root: sc.Path}
}

func (r *reader) fullName() string { return r.name }

// stopGently lets a delivery under way end, for at most limit.
func (r *reader) stopGently(limit time.Duration) {
	r.sink.Drain()
	select {
	case <-r.done:
	case <-time.After(limit):
	}
	r.cancel()
	<-r.done
}

// allReaders is a snapshot of the running sinks in the order of the configuration.
func (d *Daemon) allReaders() []readerOf {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []readerOf
	for _, u := range d.units {
		for _, r := range u.sinks {
			out = append(out, readerOf{r, u})
		}
	}
	return out
}

// readerOf is a sink with the unit it belongs to.
type readerOf struct {
	*reader
	unit *unit
}
