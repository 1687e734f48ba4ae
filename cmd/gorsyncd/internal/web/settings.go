package web

import (
	"context"
	"fmt"
	"maps"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// Ids of errors.
const (
	idListen = "E-HTTP-LISTEN"
	idToken  = "E-HTTP-TOKEN"
	idTLS    = "E-HTTP-TLS"
)

// settings are what requests are judged by.
type settings struct {
	conf   config.HTTP
	token  secret
	hosts  map[string]bool
	secure bool // TLS

	// What was let in by these settings ends when others let in somebody else.
	life context.Context
	end  context.CancelFunc
}

// replaces takes the place of older settings: what those have let in may stay if it
// would be let in again.
func (s *settings) replaces(old *settings) {
	if s.token == old.token && s.conf.AnonymousRead == old.conf.AnonymousRead && maps.Equal(s.hosts, old.hosts) {
		s.end()
		s.life, s.end = old.life, old.end
		return
	}
	old.end()
}

// Error is about a key of http.
type Error struct {
	ID  string
	Key string // of http, such as token_file; "listen" for what only shows when listening
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("http.%s: %v", e.Key, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Check tells whether the token and the certificate that c names can be used: nil or
// an *Error. dir is where the credentials of the service are.
func Check(c config.HTTP, dir string) error {
	if c.Listen == "" {
		return nil
	}
	_, _, err := prepare(c, dir, func(error) {})
	return err
}

// prepare reads what the configuration names.
func prepare(c config.HTTP, dir string, failed func(error)) (*settings, *certs, error) {
	_, tokenIs := config.CredentialName(c.TokenFile)
	_, keyIs := config.CredentialName(c.KeyFile)
	c = c.Located(dir)
	s := &settings{conf: c, hosts: hostSet(config.Texts(c.Hosts)), secure: c.CertFile != ""}
	s.life, s.end = context.WithCancel(context.Background())
	if c.TokenFile != "" {
		token, err := readToken(c.TokenFile, tokenIs)
		if err != nil {
			return nil, nil, &Error{ID: idToken, Key: "token_file", Err: err}
		}
		s.token = token
	}
	if !s.secure {
		return s, nil, nil
	}
	pair := &certs{cert: c.CertFile, key: c.KeyFile, credential: keyIs, failed: failed}
	if err := pair.open(time.Now()); err != nil {
		return nil, nil, &Error{ID: idTLS, Key: "tls.cert_file", Err: err}
	}
	return s, pair, nil
}
