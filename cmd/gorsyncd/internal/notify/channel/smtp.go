package channel

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// session is one connection to a mail server.
type session struct {
	client *smtp.Client
	unhook func() bool
	safe   bool // what is said is not heard by others
}

func (s *session) close() {
	s.unhook()
	_ = s.client.Close() // after QUIT it is closed already
}

// open connects, encrypted as configured.
func (e *Email) open(ctx context.Context) (*session, *notify.Failure) {
	host, _, err := net.SplitHostPort(e.Server)
	if err != nil {
		return nil, person(idSMTP, "check email.server", "%s", outbound.Plainly(err))
	}
	conf := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if e.CAFile != "" {
		if conf.RootCAs, err = outbound.Roots(e.CAFile); err != nil {
			return nil, person(idSecret, "check email.ca_file", "%s", outbound.Plainly(err))
		}
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", e.Server)
	if err != nil {
		return nil, broken(ctx, err)
	}
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end) // a TCP connection has one
	}
	unhook := context.AfterFunc(ctx, func() { conn.Close() })
	s, err := e.greet(ctx, conn, host, conf)
	if err != nil {
		unhook()
		conn.Close()
		return nil, e.judge(ctx, err)
	}
	s.unhook = unhook
	return s, nil
}

func (e *Email) greet(ctx context.Context, conn net.Conn, host string, conf *tls.Config) (*session, error) {
	s := &session{safe: Loopback(host)}
	if e.TLS == ImplicitTLS {
		secured := tls.Client(conn, conf)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn, s.safe = secured, true
	}
	var err error
	if s.client, err = smtp.NewClient(conn, host); err != nil {
		return nil, err
	}
	if err := s.client.Hello(hostname()); err != nil {
		return nil, err
	}
	if e.TLS != StartTLS {
		return s, nil
	}
	if ok, _ := s.client.Extension("STARTTLS"); !ok {
		return nil, person(idSMTP, "use tls: tls if it wants that from the beginning (port 465)", "the mail server offers no STARTTLS: nothing is sent in the open")
	}
	if err := s.client.StartTLS(conf); err != nil {
		return nil, err
	}
	s.safe = true
	return s, nil
}

// deliver sends one mail. It returns the recipients that the server refused, unless
// those are all.
func (s *session) deliver(e *Email, password, from string, m *notify.Message) (refused []string, err error) {
	if err := s.login(e, password); err != nil {
		return nil, err
	}
	if err := s.client.Mail(from); err != nil {
		return nil, err
	}
	var last error
	for _, to := range e.To {
		a := address(to)
		a = a[strings.LastIndexByte(a, '<')+1 : len(a)-1]
		if err := s.client.Rcpt(a); err != nil {
			var said *textproto.Error
			if !errors.As(err, &said) {
				return nil, err
			}
			refused, last = append(refused, a+": "+said.Error()), err
		}
	}
	if len(refused) == len(e.To) {
		return nil, last
	}
	w, err := s.client.Data()
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(e.Compose(m, time.Now())); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	_ = s.client.Quit() // it has the mail
	return refused, nil
}

func (s *session) login(e *Email, password string) error {
	if e.User == "" {
		return nil
	}
	ok, offered := s.client.Extension("AUTH")
	switch {
	case !s.safe:
		return person(idSMTP, "use tls: starttls or tls", "a password is not sent over a connection that is not encrypted")
	case !ok:
		return person(idSMTP, "leave out user and password_file", "the mail server offers no AUTH")
	}
	method := strings.ToUpper(e.Auth)
	if e.Auth == "" || e.Auth == "auto" {
		method = "PLAIN"
		if list := strings.Fields(strings.ToUpper(offered)); !slices.Contains(list, "PLAIN") && slices.Contains(list, "LOGIN") {
			method = "LOGIN"
		}
	}
	return s.client.Auth(&credentials{method: method, user: e.User, password: password})
}

// credentials are for AUTH PLAIN (RFC 4616) and AUTH LOGIN. That the connection is
// safe is the caller's business.
type credentials struct {
	method, user, password string
	step                   int
}

// Start implements smtp.Auth.
func (c *credentials) Start(*smtp.ServerInfo) (string, []byte, error) {
	if c.method == "PLAIN" {
		return c.method, []byte("\x00" + c.user + "\x00" + c.password), nil
	}
	return c.method, nil, nil
}

// Next implements smtp.Auth. Servers word their questions as they like: what counts is
// that the first is for the name and the second for the password.
func (c *credentials) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	if c.method == "PLAIN" {
		return nil, errors.New("the mail server asks for more than AUTH PLAIN has")
	}
	c.step++
	switch c.step {
	case 1:
		return []byte(c.user), nil
	case 2:
		return []byte(c.password), nil
	}
	return nil, errors.New("the mail server asks for more than AUTH LOGIN has")
}
