package channel

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// Values of Email.TLS.
const (
	StartTLS    = "starttls" // begun in the open, required
	ImplicitTLS = "tls"
	NoTLS       = "none" // only to this machine
)

// Email sends mails through a server.
type Email struct {
	Server       string // host:port
	TLS          string
	From         string // an address, with a name or without
	To           []string
	User         string
	PasswordFile string
	Auth         string // auto, plain, login
	CAFile       string
}

var _ notify.Channel = (*Email)(nil)

func (e *Email) String() string {
	return names.Printable(strings.Join(e.To, ", ") + " by " + e.Server)
}

// Send implements notify.Channel.
func (e *Email) Send(ctx context.Context, m *notify.Message) (notify.Answer, *notify.Failure) {
	from, err := mail.ParseAddress(e.From)
	if err != nil {
		return notify.Answer{}, person(idSMTP, "check email.from", "%s", outbound.Plainly(err))
	}
	password := ""
	if e.PasswordFile != "" {
		if password, err = outbound.ReadSecret(e.PasswordFile); err != nil {
			return notify.Answer{}, person(idSecret, "check password_file", "%s", outbound.Plainly(err))
		}
	}
	s, f := e.open(ctx)
	if f != nil {
		return notify.Answer{}, f
	}
	defer s.close()
	refused, err := s.deliver(e, password, from.Address, m)
	if err != nil {
		f = e.judge(ctx, err)
		f.Message = redact(f.Message, "", password, base64.StdEncoding.EncodeToString([]byte(password)))
		return notify.Answer{}, f
	}
	a := notify.Answer{Text: "accepted by " + e.Server}
	if len(refused) > 0 {
		a.Warning = "refused: " + oneLine(strings.Join(refused, "; "))
	}
	return a, nil
}

// judge tells by the code of the answer whether it heals.
func (e *Email) judge(ctx context.Context, err error) *notify.Failure {
	var said *textproto.Error
	var known *notify.Failure
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &said) && said.Code >= 500:
		hint := "see what the server says"
		if said.Code == 535 || said.Code == 530 || said.Code == 534 {
			hint = "check user and password_file; many services want a password made for programs"
		}
		return person(idSMTP, hint, "the mail server answered %d %s", said.Code, said.Msg)
	case errors.As(err, &said):
		return transient(idSMTP, "", "the mail server answered %d %s", said.Code, said.Msg)
	}
	return broken(ctx, err)
}

// address is how a list of recipients stands in a header.
func address(text string) string {
	a, err := mail.ParseAddress(text)
	if err != nil {
		return ""
	}
	return a.String()
}

// Compose is the mail. Nothing of the message can add a header: what goes into one is
// in one line, and encoded.
func (e *Email) Compose(m *notify.Message, now time.Time) []byte {
	title, text := m.Render(maxMail)
	var to []string
	for _, t := range e.To {
		to = append(to, address(t))
	}
	var b bytes.Buffer
	head := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	head("From", address(e.From))
	head("To", strings.Join(to, ",\r\n "))
	head("Subject", mime.BEncoding.Encode("utf-8", oneLine(title)))
	head("Date", now.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	head("Message-ID", "<"+m.ID+"."+now.UTC().Format("20060102150405")+"@"+hostname()+">")
	head("MIME-Version", "1.0")
	head("Content-Type", "text/plain; charset=utf-8")
	head("Content-Transfer-Encoding", "base64")
	head("Auto-Submitted", "auto-generated")
	b.WriteString("\r\n")
	body := base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n"))
	for len(body) > 0 {
		n := min(76, len(body))
		b.WriteString(body[:n] + "\r\n")
		body = body[n:]
	}
	return b.Bytes()
}

// maxMail bounds a mail.
const maxMail = 64 << 10

// hostname is ours as far as it is a name for SMTP.
func hostname() string {
	h, err := os.Hostname()
	if err != nil || h == "" || strings.ContainsFunc(h, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '.' && r != '-'
	}) {
		return "localhost"
	}
	return h
}

// Loopback tells whether a server is on this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
