// Package shape makes a JSON Schema of a Go type, as encoding/json writes it.
//
//	g := shape.New("gorsyncd", "../..")   // module, and where its source is
//	s, err := g.Schema(status.Status{})
//
// Only generators and tests use it; the program embeds what they wrote. A library
// was tried and rejected: it takes a pointer for an optional key where our
// documents have null, and does not know which of two equal keys of embedded
// structs wins.
//
// # Properties
//
//   - A key is required unless it is omitted when empty. A pointer may be null,
//     a list never is.
//   - Descriptions are the comments of the source. Constants of a named string
//     type are its enumeration.
//   - A type that writes itself tells its shape with JSONShape() any.
package shape
