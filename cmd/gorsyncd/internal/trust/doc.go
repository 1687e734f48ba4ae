// Package trust tells whether files may be relied on: whether anybody but root
// and the user of this process could have put them there or changed them.
//
// # Rules
//
//   - Root and the user of the process are trusted, nobody else.
//   - A directory is trustworthy if it belongs to one of them and nobody else may
//     write in it, or has the sticky bit, as /tmp does, where the files of others
//     cannot be replaced.
//   - A path is trustworthy if each directory on its way is, and each symbolic
//     link on it belongs to one of the two.
//   - The group root counts as root.
//
// The answers hold for later, too: what is trustworthy can be changed by trusted
// users only. Access control lists are seen as far as they show in the mode.
package trust
