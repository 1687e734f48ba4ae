// Package web serves the API of package control, and the status page, on TCP.
//
// # Usage
//
//	s := web.New(web.Options{Service: service, Logger: log, Config: c.HTTP, Page: page})
//	go s.Run(ctx)        // blocks until ctx ends
//	s.Set(next.HTTP)     // after a reload
//	st := s.Status()     // nil when nothing is to be served
//
// # Threats
//
// Who can connect is not trusted, nor is what a browser of somebody who can connect is
// made to do by other sites.
//
//   - A site in the browser of an administrator sends requests here (CSRF), or a name
//     of its own leads here (DNS rebinding). A request has to be for a name of this
//     server; what acts has to come from the page itself, by Sec-Fetch-Site or Origin;
//     what another site embeds or fetches is refused, also when it only reads. The
//     cookie is SameSite=Strict.
//   - Somebody without the token. On loopback, unless anonymous_read is false, any user
//     of the machine may look; what acts always needs the token, and without one there
//     is nobody who can act. Beyond loopback everything but /healthz and the login needs
//     it. There is no default token. Through a proxy on the same machine a request
//     comes from loopback, too: one that says so, or is for a name that is not
//     loopback's, needs the token.
//   - Somebody who guesses. A token has 16 bytes at least, comparisons take the same
//     time, and wrong ones of an address are throttled to one in two seconds after the
//     first ten. Who is logged in already is not held up by that.
//   - A stolen cookie. It is not the token but a ticket signed with it: it ends after a
//     week, by logout, and for all when the token is changed; then streams that it has
//     opened end, too.
//   - A script in a page. The Content-Security-Policy allows only files of the page
//     itself, no inline script or style; nothing is framed; answers are what their
//     Content-Type says.
//   - Somebody who has the daemon work, or wait. Connections, requests, streams, headers,
//     bodies and times are bounded. A new connection takes the place of one that has
//     not sent a request. Who is one too many is told so with 503 and Retry-After.
//   - Who may act by the token could still do harm at a distance that the socket's
//     users may do: what only the administrator of the machine needs (RightSocket, and
//     forgetting what is kept for a remote) is not to be had here.
//
// Not defended against: root, and the user gorsyncd runs as; who reads the network where
// insecure says that TLS is not needed.
//
// # Properties
//
//   - Nothing here keeps the replication from running. An address in use, a token file
//     or a certificate that cannot be used: the error is logged with an id, is in the
//     status, and it is tried again, while everything else goes on.
//   - A change of the configuration keeps connections where it can: a new token, new
//     hosts and a renewed certificate do not need a new listener.
//   - Names of files are never in headers; a reader of logs gets them escaped.
package web
