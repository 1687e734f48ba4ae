package daemon

import (
	"errors"
	"net/http"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/page"
	"gorsyncd/cmd/gorsyncd/internal/web"
)

// newWeb makes what serves the API and the status page on TCP.
func (d *Daemon) newWeb(api *control.Service) *web.Server {
	return web.New(web.Options{Service: api, Config: d.config().HTTP, Credentials: CredentialsDir(), Logger: d.log, Page: d.page})
}

// page makes the status page for who visits it.
func (d *Daemon) page(visitor web.Visitor) http.Handler {
	return page.New(page.Options{
		Status: d.Status,
		Lag: func() map[string][]*float64 {
			_, series := d.lag.Series()
			return series
		},
		Entries: d.Entries, Events: d.Events, Explain: d.Explain,
		Access: func(r *http.Request) page.Access {
			a := visitor(r)
			return page.Access{MayAct: a.MayAct, CanLogIn: a.CanLogIn, LoggedIn: a.LoggedIn, MustLogIn: !a.MayRead}
		},
		Version: d.opts.Version,
	})
}

// checkWeb refuses a reload with a token or a certificate that cannot be used. At a
// start the rest goes on without: nothing of it keeps the replication from running.
func checkWeb(c *config.Config) error {
	err := web.Check(c.HTTP, CredentialsDir())
	var bad *web.Error
	if errors.As(err, &bad) {
		return c.HTTPError(bad.Key, bad.Err)
	}
	return err
}
