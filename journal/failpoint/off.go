//go:build !failpoints

package failpoint

// Enabled tells whether the program was built with failpoints.
const Enabled = false

// Hit does nothing in this build.
func Hit(string) {}

// Fail returns nil in this build.
func Fail(string) error { return nil }
