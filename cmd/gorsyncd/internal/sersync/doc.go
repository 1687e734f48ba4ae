// Package sersync reads the configuration of sersync 2.5, confxml.xml, and writes
// ours.
//
// # Usage
//
//	res, err := sersync.Import([]draft.File{{Name: "confxml.xml", Data: data}})
//	if err != nil { … }                 // *draft.SyntaxError: it is no such file
//	os.Stdout.Write(res.YAML)
//	for _, n := range res.Notes { … }   // what works otherwise, or not at all
//
// # Properties
//
//   - Every localpath of every file becomes a source. sersync read the first one
//     of one file only, so that its users had to run a process for each directory.
//   - What the XML says and what gorsyncd does are compared element by element.
//     Each difference is a Note with its line: Changed works, in another way;
//     Dropped is not needed; Lost could not be carried over, and somebody has to
//     decide. Nothing is guessed: a regular expression that is no rsync pattern is
//     Lost, not turned into something similar.
//   - Where sersync would have crashed, such as on a missing element, the value of
//     the file that it came with is taken. Only the exact word "true" is true, as
//     in sersync.
//   - Read as leniently as sersync did: any encoding label, comments in any
//     encoding and with "--" in them, attributes without quotes, a missing end tag,
//     names in any case, unknown elements. One without <sersync>, as sersync-plus
//     takes it, is read as well.
//   - The YAML is accepted by package config, or there is a Lost note with what it
//     says.
//
// The behaviour of sersync is that of its source, release 2.5.2, and of its binary
// 2.5.4, both tried.
package sersync
