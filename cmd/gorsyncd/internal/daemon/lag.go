package daemon

import (
	"context"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/lagring"
)

// noteLag remembers how far everything is behind until ctx ends.
func (d *Daemon) noteLag(ctx context.Context) {
	for {
		seconds := map[string]float64{}
		for _, st := range statuses(d.allRemotes()) {
			seconds[st.Name] = st.LagSeconds
		}
		for _, r := range d.allReaders() {
			seconds[r.name] = r.sink.Status().LagSeconds
		}
		d.lag.Note(time.Now(), seconds)
		select {
		case <-ctx.Done():
			return
		case <-time.After(lagring.Wait(time.Now())):
		}
	}
}

// Names implements control.Overseer.
func (d *Daemon) Names(context.Context) ([]string, error) {
	var out []string
	for _, r := range d.allRemotes() {
		out = append(out, r.name)
	}
	for _, r := range d.allReaders() {
		out = append(out, r.name)
	}
	return out, nil
}

// Lag implements control.Overseer.
func (d *Daemon) Lag(context.Context) (control.LagSeries, error) {
	at, series := d.lag.Series()
	return control.LagSeries{Every: int(lagring.Every.Seconds()), Now: at, Remotes: series}, nil
}
