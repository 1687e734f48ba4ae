package web

import (
	"encoding/json"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

// cookieName is the cookie that holds a ticket.
const cookieName = "gorsyncd_token"

// maxLogin is the size of a login.
const maxLogin = 16 << 10

// bearer is the token that a request shows; "" for none.
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// ticket tells whether a request shows a ticket that is good.
func (s *Server) ticket(set *settings, r *http.Request) bool {
	for _, c := range r.CookiesNamed(cookieName) {
		if id, _, ok := readTicket(set.token, c.Value, time.Now()); ok && !s.given.has(id) {
			return true
		}
	}
	return false
}

// tooMany refuses to look at a token from an address that has shown too many wrong ones.
func (s *Server) tooMany(r *http.Request) error {
	wait := s.guesses.wait(remoteAddr(r), time.Now())
	if wait <= 0 {
		return nil
	}
	return &control.Error{Code: control.CodeThrottled, Message: "too many wrong tokens", Hint: fmt.Sprintf("try again in %d seconds", 1+int(wait.Seconds()))}
}

// guessed takes in a wrong token.
func (s *Server) guessed(r *http.Request) error {
	if s.guesses.wrong(remoteAddr(r), time.Now()) {
		s.log.Warn("a wrong token", "address", remoteAddr(r).String())
	}
	return &control.Error{Code: control.CodeToken, Message: "the token is wrong", Hint: "it is in the file that http.token_file names"}
}

// login takes the token in a form or in JSON and gives a ticket for it.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(loginLimit)) // supported here
	token, form, err := loginToken(r)
	set := s.settings.Load()
	switch {
	case err != nil:
	case set == nil || !set.token.set:
		err = &control.Error{Code: control.CodePermission, Message: "no token is configured: nobody can log in", Hint: "set http.token_file, and reload"}
	default:
		if err = s.tooMany(r); err == nil && !set.token.is(token) {
			err = s.guessed(r)
		}
	}
	if err != nil {
		s.loginFailed(w, form, err)
		return
	}
	ends := time.Now().Add(ticketLife)
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: newTicket(set.token, ends), Path: "/", MaxAge: int(ticketLife.Seconds()),
		HttpOnly: true, Secure: set.secure, SameSite: http.SameSiteStrictMode})
	s.log.Info("logged in over http", "address", remoteAddr(r).String())
	s.loginDone(w, r, form)
}

// loginToken reads what a form, or a document in JSON, has for the token.
func loginToken(r *http.Request) (token string, form bool, err error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/x-www-form-urlencoded" {
		if err := r.ParseForm(); err != nil {
			return "", true, &control.Error{Code: control.CodeUsage, Message: "the form cannot be read", Err: err}
		}
		return strings.TrimSpace(r.PostForm.Get("token")), true, nil
	}
	var body struct {
		Token string `json:"token"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return "", false, &control.Error{Code: control.CodeUsage, Message: "the request cannot be read", Hint: `send {"token": "…"}, or a form`, Err: err}
	}
	return strings.TrimSpace(body.Token), false, nil
}

func (s *Server) loginDone(w http.ResponseWriter, r *http.Request, form bool) {
	if form {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true}` + "\n")) // who is gone needs no answer
}

func (s *Server) loginFailed(w http.ResponseWriter, form bool, err error) {
	e := control.Classify(err)
	if form {
		code := http.StatusUnauthorized
		if e.Code == control.CodeThrottled {
			code = http.StatusTooManyRequests
		}
		s.askToken(w, code, e.Message)
		return
	}
	s.refuse(w, err)
}

// logout ends the ticket of the request.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	set := s.settings.Load()
	if set == nil {
		s.refuse(w, &control.Error{Code: control.CodeUnreachable, Message: "the daemon is stopping"})
		return
	}
	for _, c := range r.CookiesNamed(cookieName) {
		if id, ends, ok := readTicket(set.token, c.Value, time.Now()); ok {
			s.given.add(id, ends, time.Now())
		}
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, Secure: set.secure, SameSite: http.SameSiteStrictMode})
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	s.loginDone(w, r, kind == "application/x-www-form-urlencoded")
}

// loginPage asks for the token where nothing may be shown without it.
var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>gorsyncd</title></head><body>
<h1>gorsyncd</h1>
{{with .}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="/login">
<p><label for="token">Token, from the file that <code>http.token_file</code> names <span lang="zh">（令牌，见 http.token_file 指定的文件）</span></label></p>
<p><input id="token" name="token" type="password" autocomplete="current-password" required autofocus></p>
<p><button>Log in / <span lang="zh">登录</span></button></p>
</form></body></html>
`))

func (s *Server) askToken(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	if err := loginPage.Execute(w, message); err != nil {
		s.log.Debug("web: page not delivered", "error", err)
	}
}
