package daemon

import (
	"fmt"
	"os"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/trust"
	"gorsyncd/replicate"
)

// idStateDir is the error of a state directory that others had access to.
const idStateDir = "E-STATE-DIR"

// makeState makes a directory for what is ours alone. Whoever could write into
// it could have files removed on remotes, or others written in their place.
func (d *Daemon) makeState(dir string) error {
	tightened, err := trust.Private(dir)
	switch {
	case trust.Untrusted(err):
		return &control.Error{Code: control.CodePermission, Message: idStateDir + ": the state directory " + err.Error(),
			Hint: "it has to belong to the user gorsyncd runs as, with mode 700, below directories nobody else may write in", Err: err}
	case err != nil:
		return fmt.Errorf("make state directory: %w", err)
	case tightened:
		d.log.Warn("the state directory could be read by others: its mode is 700 now", "error_id", idStateDir, "path", dir)
	}
	return nil
}

// CredentialsDir is where the service manager has put the credentials of this
// process; "" when there are none.
func CredentialsDir() string { return os.Getenv("CREDENTIALS_DIRECTORY") }

// checkSecret tells whether a password file may be used.
func checkSecret(path string) error { return passwordError(path, trust.Secret(path)) }

// checkCredential is checkSecret for a credential.
func checkCredential(path string) error { return passwordError(path, trust.Credential(path)) }

func passwordError(path string, err error) error {
	if err != nil {
		return fmt.Errorf("%w %q: %w", replicate.ErrPasswordFile, path, err)
	}
	return nil
}

// warnOfSecrets names the password files that cannot be used, before the
// remotes that need them fail.
func (d *Daemon) warnOfSecrets(c *config.Config) {
	for _, s := range c.Sources {
		for _, r := range s.Remotes {
			if r.PasswordFile == "" {
				continue
			}
			o := rsyncOptions(r, "", 0)
			if err := o.CheckPassword(o.PasswordFile); err != nil {
				d.log.Warn("a remote will fail", "error_id", "E-PASSFILE", "remote", s.FullName(r), "error", err)
			}
		}
	}
}
