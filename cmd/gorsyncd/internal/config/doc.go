// Package config reads gorsyncd's configuration: YAML in, one plain resolved
// Config out, or every error at once.
//
// # Usage
//
//	c, err := config.Load(path, config.Options{})
//	if err != nil { … }            // *Errors when the content is at fault
//	for _, s := range c.Sources { … s.Remotes[0].Rsync.Timeout … }
//
// # Properties
//
//   - Strict: an unknown or repeated key, a value of the wrong type and a
//     combination that cannot work are errors, each with file:line:col, the
//     line itself and, where one is close, a suggestion. All are collected
//     before Load returns.
//   - Resolved: any key of "defaults" may stand on a source or on a remote, and
//     the nearest wins, leaf by leaf: a remote with batch.files keeps the
//     batch.bytes of its source. Settings and the table in fields.go are the
//     only place that knows the keys; resolve.go applies the rule once.
//   - Schema is made by the same decoders, see sketch: a key that is decoded is
//     in it. Only a decoder that walks nodes itself has to say what it takes.
//   - A Config holds no unresolved value and no secret. Passwords stand in
//     files of their own, and one written into the YAML or into a target is
//     refused without being printed.
//   - Load looks at the file system only to follow symlinks when it compares
//     paths (is a target inside a source?). Sources need not exist.
//
// A source's own properties (settle, guard.empty_source, …) cannot differ
// between its remotes and are refused there. A remote's filter can only
// exclude more: what the source's rules leave out is not watched.
package config
