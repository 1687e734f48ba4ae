package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// credentialScheme stands in front of the name of a credential of systemd, where a
// file could be named. Where the file is, only the service knows: so that other
// commands can read the configuration as well, it stays a name until Located.
const credentialScheme = "credential:"

// CredentialName is the name of the credential that a value asks for.
func CredentialName(value string) (name string, ok bool) {
	return strings.CutPrefix(value, credentialScheme)
}

// checkCredential takes what systemd takes for a name.
func checkCredential(name string) error {
	switch {
	case name == "" || name == "." || name == ".." || len(name) > 255:
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == ':' }):
	default:
		return nil
	}
	return fmt.Errorf("the name of a credential stands behind %s, as in %srsync.pass", credentialScheme, credentialScheme)
}

// credentialOr lifts a parser of paths to values that may ask for a credential.
func credentialOr(path func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if name, ok := CredentialName(s); ok {
			return s, checkCredential(name)
		}
		return path(s)
	}
}

// secrets are the settings that may ask for a credential.
func (s *Settings) secrets() map[string]*string {
	return map[string]*string{
		"password_file":     &s.PasswordFile,
		"ssh.identity_file": &s.SSH.IdentityFile,
		"ssh.config_file":   &s.SSH.ConfigFile,
		"ssh.known_hosts":   &s.SSH.KnownHosts,
	}
}

// Located returns the settings with the paths of credentials in dir, the
// service's $CREDENTIALS_DIRECTORY, in place of their names.
func (s Settings) Located(dir string) Settings {
	for _, v := range s.secrets() {
		if name, ok := CredentialName(*v); ok {
			*v = filepath.Join(dir, name)
		}
	}
	return s
}

// Credentials are the names that the settings ask for, in no order.
func (s Settings) Credentials() []string {
	var list []string
	for _, v := range s.secrets() {
		if name, ok := CredentialName(*v); ok {
			list = append(list, name)
		}
	}
	return list
}

// CheckCredentials tells whether all that is asked for is in dir; "" is for a
// process without credentials. An error is an *Errors.
func (c *Config) CheckCredentials(dir string) error {
	rep := newReporter(nil)
	for _, s := range c.Sources {
		for _, r := range s.Remotes {
			for key, v := range r.secrets() {
				name, ok := CredentialName(*v)
				if !ok {
					continue
				}
				if err := findCredential(dir, name); err != nil {
					rep.put(Error{Pos: r.origins[key], Message: fmt.Sprintf("%s: %v", key, err)})
				}
			}
		}
	}
	for _, n := range c.Notify {
		for key, v := range n.secrets() {
			if name, ok := CredentialName(*v); ok {
				if err := findCredential(dir, name); err != nil {
					rep.put(Error{Pos: n.origins[key], Message: fmt.Sprintf("%s: %v", key, err)})
				}
			}
		}
	}
	return rep.err()
}

func findCredential(dir, name string) error {
	if dir == "" {
		return fmt.Errorf("there are no credentials: CREDENTIALS_DIRECTORY is not set, as systemd does it for a unit with LoadCredential=%s:/path/of/the/file", name)
	}
	fi, err := os.Stat(filepath.Join(dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the unit has no credential %s: add LoadCredential=%s:/path/of/the/file to it and restart gorsyncd", name, name)
	case err != nil:
		return fmt.Errorf("credential %s: %w", name, err)
	case !fi.Mode().IsRegular():
		return fmt.Errorf("credential %s is not a file: name one of those in %s", name, dir)
	}
	return nil
}
