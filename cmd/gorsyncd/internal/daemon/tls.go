package daemon

import (
	"context"
	"os"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/tlspipe"
	"gorsyncd/replicate"
)

// connectArgv is what rsync runs to connect to a target behind TLS: this program.
func connectArgv(rc config.Remote) []string {
	if rc.Target.Via != replicate.TLS {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		self = "gorsyncd" // found in PATH, as rsync is
	}
	return append([]string{self, tlspipe.Command}, tlsOptions(rc).Args()...)
}

func tlsOptions(rc config.Remote) tlspipe.Options {
	return tlspipe.Options{
		Host: rc.Target.Host, Port: rc.Target.Port, ServerName: rc.TLS.ServerName, CAFile: rc.TLS.CAFile,
		CertFile: rc.TLS.CertFile, KeyFile: rc.TLS.KeyFile, ConnectTimeout: rc.Rsync.ConnectTimeout,
	}
}

// Expires tells when a certificate ends without which a remote cannot be reached,
// the server's or ours; the zero time for a remote without any.
func Expires(ctx context.Context, rc config.Remote) (time.Time, error) {
	if rc.Target.Via != replicate.TLS {
		return time.Time{}, nil
	}
	return tlspipe.Expires(ctx, tlsOptions(rc))
}
