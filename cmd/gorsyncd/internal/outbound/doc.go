// Package outbound hands something to a receiver outside: a request to an HTTP
// server, a run of a program. Sinks and notifiers share it; each judges for itself
// what an answer means.
//
//   - Secrets (URLs, headers, keys) are in no error and in no String. They are read
//     from their files at each use, so that a new one counts at once.
//   - A redirect is not followed: it would lose the body or the method, and carry
//     secrets elsewhere. The proxy is that of the environment (HTTPS_PROXY, NO_PROXY).
//   - A program is run without a shell, in a process group of its own, which ends
//     with it. What is read of an answer, or kept of what a program prints, is bounded.
package outbound
