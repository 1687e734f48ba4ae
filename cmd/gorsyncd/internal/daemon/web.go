package daemon

import (
	"errors"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/web"
)

// newWeb makes what serves the API and the status page on TCP.
func (d *Daemon) newWeb(api *control.Service) *web.Server {
	return web.New(web.Options{Service: api, Config: d.config().HTTP, Credentials: CredentialsDir(), Logger: d.log})
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
