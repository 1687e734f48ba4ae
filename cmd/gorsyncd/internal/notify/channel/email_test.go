package channel

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
)

// postOffice is a mail server.
type postOffice struct {
	address  string
	conf     *tls.Config
	implicit bool     // TLS from the beginning
	offers   []string // extensions in the open
	inside   []string // extensions behind STARTTLS
	refuse   map[string]string
	hang     bool

	mu    sync.Mutex
	mails []string // guarded by mu; envelope, then the mail
	auth  string   // guarded by mu
	plain []string // guarded by mu; commands in the open
}

func (p *postOffice) open(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if p.implicit {
		l = tls.NewListener(l, p.conf)
	}
	p.address = l.Addr().String()
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { l.Close() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(conn) })
		}
	})
	return p
}

func (p *postOffice) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if p.hang {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	secured := p.implicit
	r := bufio.NewReader(conn)
	say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
	ask := func(what string) string {
		say("334 " + base64.StdEncoding.EncodeToString([]byte(what)))
		line, _ := r.ReadString('\n')
		b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		return string(b)
	}
	say("220 mail.test ESMTP")
	envelope := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		verb, rest, _ := strings.Cut(line, " ")
		if !secured {
			p.mu.Lock()
			p.plain = append(p.plain, line)
			p.mu.Unlock()
		}
		if said, ok := p.refuse[line]; ok {
			say(said)
			continue
		}
		switch strings.ToUpper(verb) {
		case "EHLO":
			list := p.offers
			say("250-mail.test")
			if secured {
				list = p.inside
			}
			for _, e := range list {
				say("250-" + e)
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			c := tls.Server(conn, p.conf)
			if c.Handshake() != nil {
				return
			}
			conn, secured = c, true
			r = bufio.NewReader(conn)
		case "AUTH":
			method, initial, _ := strings.Cut(rest, " ")
			got := method + " "
			if method == "PLAIN" {
				b, _ := base64.StdEncoding.DecodeString(initial)
				got += strings.ReplaceAll(string(b), "\x00", "|")
			} else {
				got += ask("Username:") + "|"
				got += ask("Password:")
			}
			p.mu.Lock()
			p.auth = got
			p.mu.Unlock()
			if !strings.HasSuffix(got, "hunter2") {
				say("535 5.7.8 bad credentials " + base64.StdEncoding.EncodeToString([]byte(got)))
				continue
			}
			say("235 welcome")
		case "MAIL", "RCPT":
			envelope += line + "\n"
			say("250 ok")
		case "DATA":
			say("354 go on")
			text := envelope
			for {
				l, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				text += strings.TrimPrefix(l, ".")
			}
			p.mu.Lock()
			p.mails = append(p.mails, text)
			p.mu.Unlock()
			say("250 queued")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("500 what?")
		}
	}
}

func (p *postOffice) letters() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.mails...)
}

func TestEmail(t *testing.T) {
	t.Parallel()
	caFile, pair := certificates(t)
	conf := &tls.Config{Certificates: []tls.Certificate{pair}}
	password := secretFile(t, "hunter2")
	for name, c := range map[string]struct {
		office *postOffice
		email  Email
		auth   string
	}{
		"starttls, plain": {&postOffice{conf: conf, offers: []string{"STARTTLS"}, inside: []string{"AUTH LOGIN PLAIN"}}, Email{TLS: StartTLS, User: "u", PasswordFile: password}, "PLAIN |u|hunter2"},
		"starttls, login": {&postOffice{conf: conf, offers: []string{"STARTTLS"}, inside: []string{"AUTH LOGIN"}}, Email{TLS: StartTLS, User: "u", PasswordFile: password}, "LOGIN u|hunter2"},
		"login as asked":  {&postOffice{conf: conf, implicit: true, inside: []string{"AUTH PLAIN LOGIN"}}, Email{TLS: ImplicitTLS, User: "u", PasswordFile: password, Auth: "login"}, "LOGIN u|hunter2"},
		"tls":             {&postOffice{conf: conf, implicit: true, inside: []string{"AUTH PLAIN"}}, Email{TLS: ImplicitTLS, User: "u", PasswordFile: password}, "PLAIN |u|hunter2"},
		"this machine":    {&postOffice{}, Email{TLS: NoTLS}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.office.open(t)
			e := c.email
			e.Server, e.From, e.To, e.CAFile = p.address, "gorsyncd <backup@example.com>", []string{"ops@example.com", `"Müller, Jürgen" <jm@example.com>`}, caFile
			if a, f := send(t, &e, trouble(3)); f != nil || a.Warning != "" {
				t.Fatal(a, f)
			}
			letters := p.letters()
			if len(letters) != 1 || p.auth != c.auth {
				t.Fatalf("auth %q, letters %q", p.auth, letters)
			}
			checkMailText(t, letters[0])
			for _, line := range p.plain {
				if e.TLS == StartTLS && !strings.HasPrefix(line, "EHLO") && line != "STARTTLS" {
					t.Errorf("in the open: %s", line)
				}
			}
		})
	}
}

// checkMailText reads a mail as a mail reader would.
func checkMailText(t *testing.T, letter string) {
	t.Helper()
	envelope, text, _ := strings.Cut(letter, "From: ")
	for _, want := range []string{"MAIL FROM:<backup@example.com>", "RCPT TO:<ops@example.com>", "RCPT TO:<jm@example.com>"} {
		if !strings.Contains(envelope, want) {
			t.Errorf("%s is missing in %q", want, envelope)
		}
	}
	m, err := mail.ReadMessage(strings.NewReader("From: " + text))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "gorsyncd on web1: ") {
		t.Errorf("subject %q %v", subject, err)
	}
	if to, err := m.Header.AddressList("To"); err != nil || len(to) != 2 || to[1].Name != "Müller, Jürgen" {
		t.Errorf("to %v %v", to, err)
	}
	if _, err := m.Header.Date(); err != nil || m.Header.Get("Message-Id") == "" || m.Header.Get("Bcc") != "" {
		t.Errorf("%v %v", err, m.Header)
	}
	body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, m.Body))
	if err != nil || !strings.Contains(string(body), "目录/") || !strings.Contains(string(body), "www/nas is failing") {
		t.Errorf("%v %s", err, body)
	}
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > 998 || strings.Contains(line, "\n") {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

// TestNoHeaderInjection: nothing in a title ends the line of its header.
func TestNoHeaderInjection(t *testing.T) {
	t.Parallel()
	e := &Email{From: "a@example.com", To: []string{"b@example.com"}}
	for _, title := range []string{"x\r\nBcc: evil@example.com", "标题\nBcc: e@x", strings.Repeat("长标题", 100) + "\r\n\r\nbody"} {
		text := e.Compose(&notify.Message{Title: title, Text: "x"}, time.Now())
		m, err := mail.ReadMessage(strings.NewReader(string(text)))
		if err != nil || m.Header.Get("Bcc") != "" || m.Header.Get("Content-Type") == "" {
			t.Errorf("%q: %v\n%s", title, err, text)
		}
	}
}

func TestEmailFailures(t *testing.T) {
	t.Parallel()
	caFile, pair := certificates(t)
	conf := &tls.Config{Certificates: []tls.Certificate{pair}}
	password, wrong := secretFile(t, "hunter2"), secretFile(t, "wrong-hunter2-not")
	both := []string{"a@example.com", "b@example.com"}
	for name, c := range map[string]struct {
		office *postOffice
		email  Email
		id     string
		person bool
	}{
		"no STARTTLS":          {&postOffice{}, Email{TLS: StartTLS}, idSMTP, true},
		"wrong password":       {&postOffice{conf: conf, implicit: true, inside: []string{"AUTH PLAIN"}}, Email{TLS: ImplicitTLS, CAFile: caFile, User: "u", PasswordFile: wrong}, idSMTP, true},
		"unknown authority":    {&postOffice{conf: conf, implicit: true}, Email{TLS: ImplicitTLS}, idConnect, false},
		"no AUTH":              {&postOffice{}, Email{TLS: NoTLS, User: "u", PasswordFile: password}, idSMTP, true},
		"greylisted":           {&postOffice{refuse: map[string]string{"RCPT TO:<a@example.com>": "451 later", "RCPT TO:<b@example.com>": "451 later"}}, Email{TLS: NoTLS}, idSMTP, false},
		"nobody known":         {&postOffice{refuse: map[string]string{"RCPT TO:<a@example.com>": "550 who?", "RCPT TO:<b@example.com>": "550 who?"}}, Email{TLS: NoTLS}, idSMTP, true},
		"no such password":     {&postOffice{}, Email{TLS: NoTLS, User: "u", PasswordFile: "/nonexistent"}, idSecret, true},
		"full":                 {&postOffice{refuse: map[string]string{"DATA": "452 no space"}}, Email{TLS: NoTLS}, idSMTP, false},
		"one known, is a mail": {&postOffice{refuse: map[string]string{"RCPT TO:<a@example.com>": "550 who?"}}, Email{TLS: NoTLS}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.office.open(t)
			e := c.email
			e.Server, e.From, e.To = p.address, "backup@example.com", both
			a, f := send(t, &e, trouble(1))
			if c.id == "" {
				if f != nil || !strings.Contains(a.Warning, "a@example.com: 550") || len(p.letters()) != 1 {
					t.Errorf("%v %v", a, f)
				}
				return
			}
			if f == nil || f.ID != c.id || f.Person != c.person {
				t.Errorf("%+v", f)
			}
		})
	}
	hung := (&postOffice{hang: true}).open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, f := (&Email{Server: hung.address, TLS: NoTLS, From: "a@x.example", To: both}).Send(ctx, trouble(1)); f == nil || f.ID != idSlow {
		t.Errorf("hangs: %+v", f)
	}
}
