// Package docs holds the guides, and the schemas of what the commands print with
// --json.
package docs

import "embed"

// FS has NAME.md and schema/NAME.json.
//
//go:embed *.md schema/*.json
var FS embed.FS
