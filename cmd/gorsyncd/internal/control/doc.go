// Package control is how the command line talks to the running daemon: JSON
// over HTTP on a unix socket, and what package web serves on TCP.
//
// # Usage
//
//	s, err := control.Listen(cfg.Socket, api, logger)  // daemon
//	go s.Serve()
//	…
//	s.Close()
//
//	c := control.New(cfg.Socket.Path)                  // command line
//	st, err := c.Status(ctx)
//
// # Properties
//
//   - One document per request, or JSON lines for flush, sync, verify, replay,
//     inspect and events: any number of progress lines, then one last line that says how it ended. A
//     stream that breaks off without it is an error of the client's.
//   - An error is {"error":{"code","message","hint"}}; the code decides the
//     exit status and is the same in every form of output (Error).
//   - Events that are followed have no end of their own. Whoever reads them slowly
//     is waited for, an hour for one line, and holds nothing up.
//   - The live status costs nothing while nobody listens, and is made once for all who do.
//   - No other request waits for ever. The server bounds each by the timeout in the
//     request or by its own; the client additionally by its context, and by
//     the silence it accepts on a stream.
//   - Whoever may open the socket may do everything. Its mode and group are the
//     only access control. It has them before anybody can find it, and nobody else
//     can put another in its place. Over TCP package web decides, before each route.
//   - A client believes only root, its own user, and the owner of the directory
//     the socket is in.
//   - A path is "path", with "path_b64" beside it when it is not UTF-8.
//
// # Endpoints
//
// The table in routes.go is the one list of them, with what each asks of a client that
// is not let do everything (Right). All are below /api/v1 and exist for a long time;
// unknown fields in answers are to be ignored, unknown fields in requests are refused.
// Their description as OpenAPI is made of that table and the types.
//
//	GET  /status                     status.Status
//	GET  /live                       events: status, delta, lag, problem
//	GET  /lag                        LagSeries
//	GET  /entries?state=&remote=&contains=&limit=&after=    EntriesPage
//	GET  /remotes/{source}/{remote}  the element of the status
//	GET  /remotes/{source}/{remote}/held                    Held
//	POST /remotes/{source}/{remote}/pause, resume, retry, full-sync, verify, approve
//	                                 {"affected": [names]}; a body may be left out
//	GET  /explain?path=|path_b64=    Explanation
//	GET  /config                     {"config": text with origins}
//	GET  /journal/stats              JournalStats
//	GET  /journal/entries?…          stream of Row
//	GET  /events?source=&from=|since=|last=&path=&follow=   stream of events.Line, or events
//	POST /journal/check              journal report
//	POST /journal/compact            JournalCompacted
//	POST /report                     Report
//	POST /flush                      stream of FlushProgress
//	POST /sync                       stream of SyncProgress
//	POST /verify                     stream of VerifyLine
//	POST /replay                     stream of ReplayLine
//	POST /retry, /pause, /resume, /approve   {"affected": [names]}
//	POST /reload                     ReloadResult
//	GET  /openapi.json               the description
//
// and at the top level, for monitoring systems (package metrics):
//
//	GET  /metrics                    text format of Prometheus
//	GET  /healthz                    200 while the daemon is alive, else 503
//	GET  /readyz?max_lag=&name=      200 while remotes are near their sources, else 503 and who is behind
//
// curl --unix-socket /run/gorsyncd/gorsyncd.sock http://x/api/v1/status works.
//
// # Server-sent events
//
// /live begins with an event "status", the whole of it, and goes on with "delta" once
// in a second at most: a document like it whose lists hold only the elements that
// are not what they were, to take the place of those of the same name, and the names
// that are gone in "removed". Where elements are new there is another "status" instead.
// "lag" comes every ten seconds. A client that does not read is dropped; it comes again.
//
// /events gives each line an event of its kind (entry, gap, position, error), and as its
// id the position behind it, also to those that want SSE by their Accept. Last-Event-ID
// goes on there, in the next process as well: the position is one of the journal.
package control
