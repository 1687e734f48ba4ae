package web

import (
	"context"
	"net/http"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

// handler is everything that is served, behind everything that guards it.
func (s *Server) handler(l control.Limits) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	if s.page != nil {
		mux.Handle("GET /{$}", s.page) // which asks for the token where there is nothing to see without
		mux.Handle("GET "+assets, s.page)
		for _, path := range []string{"/errors", "/explain"} {
			mux.Handle("GET "+path, s.reading(s.page))
		}
	}
	mux.Handle("/", s.o.Service.Handler(l, s.gate))
	return timed(guarded(s.forUs(s.sameSite(s.shown(mux)))))
}

// shown judges the token that a request shows, whatever it is for: a wrong one is not
// as good as none, or it could be guessed where none is needed.
func (s *Server) shown(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := s.settings.Load()
		if token := bearer(r); token != "" && set != nil && set.token.set {
			err := s.tooMany(r)
			if err == nil && !set.token.is(token) {
				err = s.guessed(r)
			}
			if err != nil {
				s.refuse(w, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// timed bounds the time of an answer; routes of the API that take longer say so.
func timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeLimit)) // supported here
		next.ServeHTTP(w, r)
	})
}

// forUs refuses requests for other names than ours, and those that come too late.
func (s *Server) forUs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := s.settings.Load()
		if set == nil {
			s.refuse(w, &control.Error{Code: control.CodeUnreachable, Message: "the daemon is stopping, or is served at another address now"})
			return
		}
		if judgeHost(r, set.hosts) == hostStrange {
			s.refuse(w, &control.Error{Code: control.CodePermission, Message: "this server does not go by the name in the request",
				Hint: "use its address or localhost, or add the name to http.hosts"})
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(set.life, cancel)()
		next.ServeHTTP(w, control.Distant(r.WithContext(ctx)))
	})
}

// sameSite refuses what another site has a browser do.
func (s *Server) sameSite(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	refused := &control.Error{Code: control.CodePermission, Message: "this request comes from another site", Hint: "open the page itself"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := cross.Check(r); err != nil || embedded(r) {
			s.refuse(w, refused)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// access is what a request may do, by what it shows.
func (s *Server) access(r *http.Request) Access {
	set := s.settings.Load()
	if set == nil {
		return Access{}
	}
	ticket := s.ticket(set, r)
	known := ticket || set.token.is(bearer(r))
	return Access{MayRead: known || anonymous(set, r), MayAct: known, CanLogIn: set.token.set && !known, LoggedIn: ticket}
}

// anonymous tells whether a request may look without a token: it comes from this
// machine, and not from a proxy on it.
func anonymous(set *settings, r *http.Request) bool {
	return set.conf.AnonymousRead && set.conf.Loopback() && judgeHost(r, set.hosts) == hostLoopback &&
		remoteAddr(r).IsLoopback() && !passedOn(r)
}

// gate lets a request pass to a route of the API if it may.
func (s *Server) gate(route control.Route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.judge(route.Right, r); err != nil {
			s.refuse(w, err)
			return
		}
		if route.Right == control.RightAct {
			s.log.Info("asked over http", "method", r.Method, "endpoint", names.Printable(r.URL.Path), "address", remoteAddr(r).String())
		}
		next.ServeHTTP(w, r)
	})
}

// judge returns nil, or why a request may not do what it asks.
func (s *Server) judge(right control.Right, r *http.Request) error {
	switch right {
	case control.RightOpen:
		return nil
	case control.RightRead, control.RightAct:
	default:
		return &control.Error{Code: control.CodePermission, Message: names.Printable(r.URL.Path) + " is to be had at the unix socket only", Hint: "use the command line on the machine itself"}
	}
	a := s.access(r)
	if right == control.RightRead && a.MayRead || a.MayAct {
		return nil
	}
	set := s.settings.Load()
	switch {
	case set == nil || !set.token.set && right == control.RightAct:
		return &control.Error{Code: control.CodePermission, Message: "no token is configured: nobody can act here",
			Hint: "set http.token_file, and reload; or use the command line"}
	case !set.token.set:
		return &control.Error{Code: control.CodePermission, Message: "reading needs a token here, and none is configured", Hint: "set http.token_file, and reload"}
	}
	return &control.Error{Code: control.CodeToken, Message: "this needs the token", Hint: "log in, or send it: Authorization: Bearer TOKEN"}
}

// reading is for the page: who may not look is asked to log in.
func (s *Server) reading(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.access(r).MayRead {
			s.askToken(w, http.StatusUnauthorized, "")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers with an error. What is left of the request is not waited for long.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedBody)) // supported here
	if control.Classify(err).Code == control.CodeToken {
		w.Header().Set("WWW-Authenticate", `Bearer realm="gorsyncd"`)
	}
	if err := control.Refuse(w, err); err != nil {
		s.log.Debug("web: error not delivered", "error", err)
	}
}
