package shape

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// source reads the packages of one module.
type source struct {
	module, dir string
	packages    map[string]*comments
}

// comments is what a package's source says of its types.
type comments struct {
	fields map[string]string   // Type.Field: its comment
	words  map[string][]string // Type: the constants of a string type
}

// of is what the source of a package says, nil for one of another module.
func (s *source) of(pkg string) (*comments, error) {
	rest, ours := strings.CutPrefix(pkg+"/", s.module+"/")
	if !ours {
		return nil, nil
	}
	if c := s.packages[pkg]; c != nil {
		return c, nil
	}
	c := &comments{fields: map[string]string{}, words: map[string][]string{}}
	s.packages[pkg] = c
	files, err := filepath.Glob(filepath.Join(s.dir, rest, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("find the source of %s: %w", pkg, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("read the source of %s: %w", pkg, err)
		}
		ast.Inspect(f, c.visit)
	}
	return c, nil
}

func (c *comments) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.TypeSpec:
		if st, ok := n.Type.(*ast.StructType); ok {
			c.addFields(n.Name.Name, st)
		}
	case *ast.ValueSpec:
		typ, ok := n.Type.(*ast.Ident)
		if !ok {
			break
		}
		for _, v := range n.Values {
			lit, ok := v.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				continue
			}
			if word, err := strconv.Unquote(lit.Value); err == nil {
				c.words[typ.Name] = append(c.words[typ.Name], word)
			}
		}
	}
	return true
}

func (c *comments) addFields(name string, st *ast.StructType) {
	for _, f := range st.Fields.List {
		text := f.Doc.Text() + f.Comment.Text()
		for _, id := range f.Names {
			c.fields[name+"."+id.Name] = strings.Join(strings.Fields(text), " ")
		}
	}
}
